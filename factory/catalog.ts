import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { Failure } from "../common/failure.ts";
import { imageNameSchema } from "../mirror/manifest.ts";
import { packageFolder } from "./package-folder.ts";

const httpUrlSchema = z.url({ protocol: /^https?$/, error: "expected an http or https URL" });
const packageSchema = z.string().regex(/^[a-z0-9][a-z0-9.+*-]*$/, "expected a package's name, with * for any text");

/**
 * One file of the catalog: a vendor image that we know how to build. What a whole family needs is in packer/families.
 */
const catalogImageSchema = z.strictObject({
  name: imageNameSchema,
  title: z.string(),
  arch: z.enum(["amd64", "arm64"]),
  family: z.enum(["debian", "redhat", "suse"]),
  format: z.enum(["qcow2"]),
  license: z.enum(["none", "rhsm"]),
  source: z.strictObject({
    url: httpUrlSchema,
    /** The vendor's list of checksums, in the format of sha512sum(1). */
    checksums: httpUrlSchema,
    algorithm: z.enum(["sha256", "sha512"]),
  }),
  packages: z
    .strictObject({ add: z.array(packageSchema).default([]), remove: z.array(packageSchema).default([]) })
    .prefault({}),
  /** Parts of the distribution's archive to switch on, for good: firmware gets its updates from there. */
  components: z.array(z.string().regex(/^[a-z][a-z-]*$/, "expected a component's name")).default([]),
  /** Packages with the hardware's firmware and microcode. */
  firmware: z.array(packageSchema).default([]),
});

export type CatalogImage = z.infer<typeof catalogImageSchema>;

/** The catalog that comes with Metalcast. */
const catalogDirectory = packageFolder("factory/catalog");

/**
 * Reads every `*.yaml` of a folder.
 * @returns the images by name, in the order of their names
 * @throws Failure `catalog-invalid` (configuration) with every wrong field of every file
 */
export async function loadCatalog(directory: string = catalogDirectory): Promise<Map<string, CatalogImage>> {
  const files = (await readdir(directory)).filter((file) => file.endsWith(".yaml")).sort();
  const catalog = new Map<string, CatalogImage>();
  const problems: string[] = [];
  for (const file of files) {
    const result = catalogImageSchema.safeParse(parseYaml(await readFile(join(directory, file), "utf8")));
    if (!result.success) {
      for (const { path, message } of result.error.issues) problems.push(`${file}: ${path.join(".")}: ${message}`);
    } else if (`${result.data.name}.yaml` !== file) {
      problems.push(`${file}: name: expected the file's own name, found ${result.data.name}`);
    } else {
      catalog.set(result.data.name, result.data);
    }
  }
  if (problems.length === 0) return catalog;
  throw new Failure({
    code: "catalog-invalid",
    kind: "configuration",
    message: `reading the catalog ${directory}: ${problems.join("; ")}`,
    hint: "correct these fields, or take the file out of the folder",
    data: { problems },
  });
}

/** @returns undefined, which no schema accepts, for text that is not YAML */
function parseYaml(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
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
