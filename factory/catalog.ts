import { join } from "node:path";
import { Failure } from "../common/failure.ts";
import { type CatalogFolder, type Draft, readCatalogFolder } from "./catalog-folder.ts";
import { type CatalogImage, catalogImageSchema } from "./catalog-image.ts";
import { packageFolder } from "./package-folder.ts";

/** The catalog that comes with Metalcast. */
const builtInDirectory = packageFolder("factory/catalog");

/**
 * Reads the catalog that comes with Metalcast and, over it, a folder of the user's own: an image there takes the place
 * of a built-in one of the same name.
 * @param own see `findOwnCatalog`
 * @returns the images by name, in the order of their names
 * @throws Failure `catalog-missing` (configuration), `catalog-invalid` (configuration) with every wrong field of every
 *   file
 */
export async function loadCatalog(own?: string): Promise<Map<string, CatalogImage>> {
  const builtIn = await readCatalogFolder(builtInDirectory);
  const folders = own === undefined ? [builtIn] : [builtIn, await readCatalogFolder(own, builtIn)];
  const images = new Map<string, CatalogImage>();
  const problems: string[] = [];
  for (const folder of folders) {
    for (const draft of folder.drafts) {
      const image = checkDraft(draft, folder, folders, images);
      if (Array.isArray(image)) problems.push(...image);
      else images.set(image.name, image);
    }
  }
  if (problems.length === 0)
    return new Map([...images].sort(([left], [right]) => left.localeCompare(right, "en", { numeric: true })));
  throw new Failure({
    code: "catalog-invalid",
    kind: "configuration",
    message: `reading the catalog ${folders.at(-1)?.directory}: ${problems.join("; ")}`,
    hint: "correct these fields, or take the file out of the folder",
    data: { problems },
  });
}

/** @returns what is wrong with it, where something is */
function checkDraft(
  { file, fields, problem }: Draft,
  folder: CatalogFolder,
  folders: readonly CatalogFolder[],
  known: ReadonlyMap<string, CatalogImage>,
): CatalogImage | string[] {
  if (problem !== undefined) return [`${file}: ${problem}`];
  const result = catalogImageSchema.safeParse(fields);
  if (!result.success) {
    return result.error.issues.map(({ path, message }) => `${file}: ${path.join(".") || "(whole)"}: ${message}`);
  }
  const origin = folder === folders[0] ? "built-in" : known.has(result.data.name) ? "override" : "own";
  // A key that the user has put in place comes first: a built-in one may have been replaced by its vendor.
  const keyFolders = folders.map(({ directory }) => join(directory, "keys")).reverse();
  return { ...result.data, file: join(folder.directory, file), origin, keyFolders };
}

/** @throws Failure `image-unknown` (configuration), with the names that are nearest */
export function findImage(catalog: ReadonlyMap<string, CatalogImage>, name: string): CatalogImage {
  const image = catalog.get(name);
  if (image) return image;
  const near = [...catalog.keys()].filter((known) => editDistance(known, name) <= Math.max(2, name.length / 3));
  throw new Failure({
    code: "image-unknown",
    kind: "configuration",
    message: `finding the image "${name}": the catalog has none of this name`,
    hint: near.length > 0 ? `did you mean ${near.join(" or ")}?` : `known images: ${[...catalog.keys()].join(", ")}`,
    data: { name, near },
  });
}

/** Levenshtein's distance: how many letters must be added, dropped or changed. */
function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (const [index, letter] of [...left].entries()) {
    const next = [index + 1];
    for (const [column, other] of [...right].entries()) {
      const changed = (row[column] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(changed, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

export type { CatalogImage } from "./catalog-image.ts";
