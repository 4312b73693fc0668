import { createHash } from "node:crypto";
import type { CatalogImage } from "./catalog.ts";

/** What says how an image is found and shown, not what becomes of it. */
const descriptive: ReadonlySet<string> = new Set(["title", "tested", "file", "origin", "keyFolders"]);

/**
 * SHA-256 over all that the catalog says of how an image is made: source, format, packages, components. Neither the
 * order nor the place of the fields in the file matters.
 */
export function digestRecipe(image: CatalogImage): string {
  const recipe = Object.entries(image).filter(([name]) => !descriptive.has(name));
  return createHash("sha256")
    .update(JSON.stringify(sortFields(Object.fromEntries(recipe))))
    .digest("hex");
}

function sortFields(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortFields);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(fields.map(([name, field]) => [name, sortFields(field)]));
}
