import { readdir, readFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { parse } from "yaml";
import { Failure } from "../common/failure.ts";

type Fields = Record<string, unknown>;

/** One file as it was read, with what it leaves out filled in, and not checked yet. */
export interface Draft {
  /** Its name in the folder: `debian-13.yaml`. */
  file: string;
  fields: unknown;
  /** Why there is nothing to check. */
  problem?: string;
}

/** What a folder of the catalog holds. */
export interface CatalogFolder {
  directory: string;
  /** In the order of their names. */
  drafts: readonly Draft[];
  /** What a distribution's images have in common, by its name. */
  distributions: ReadonlyMap<string, unknown>;
}

/** What most images have, and neither a file nor its distribution need say. */
const commonFields: Fields = {
  arch: "amd64",
  license: "none",
  firmware: ["bios", "uefi"],
  packages: { add: [], remove: [] },
  components: [],
  tested: "recipe",
};

/**
 * Reads every `*.yaml` of a folder, and the defaults in its folder `distributions`.
 * @param base a folder whose distributions can be used here, too
 * @throws Failure `catalog-missing` (configuration)
 */
export async function readCatalogFolder(directory: string, base?: CatalogFolder): Promise<CatalogFolder> {
  const files = await listYaml(directory).catch((cause: unknown) => {
    throw new Failure({
      code: "catalog-missing",
      kind: "configuration",
      message: `reading the catalog ${directory}: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: "look at --catalog, or at METALCAST_CATALOG in the environment",
      cause,
    });
  });
  const distributions = new Map(base?.distributions);
  const folder = join(directory, "distributions");
  for (const file of await listYaml(folder).catch(() => [])) {
    distributions.set(basename(file, ".yaml"), await readYaml(join(folder, file)));
  }
  const drafts = files.map(async (file) => complete(file, await readYaml(join(directory, file)), distributions));
  return { directory: resolve(directory), drafts: await Promise.all(drafts), distributions };
}

function complete(file: string, written: unknown, distributions: ReadonlyMap<string, unknown>): Draft {
  if (!isFields(written)) return { file, fields: undefined, problem: "(whole): expected YAML with an image's fields" };
  const { distribution, ...own } = written;
  const defaults = distribution === undefined ? {} : distributions.get(String(distribution));
  if (!isFields(defaults)) {
    const known = [...distributions.keys()].join(", ");
    return { file, fields: undefined, problem: `distribution: expected one of ${known}, or none` };
  }
  const { source, ...fields } = merge(merge(commonFields, defaults), own);
  const completed = isFields(source) ? completeSource(mergeSources(defaults.source, own.source, source)) : source;
  return { file, fields: { name: basename(file, ".yaml"), ...fields, source: completed } };
}

/** Fields of objects are merged; a list or a value takes the place of what was there. */
function merge(base: Fields, over: Fields): Fields {
  const merged = Object.entries(over).map(([key, value]) => {
    const below = base[key];
    return [key, isFields(below) && isFields(value) ? merge(below, value) : value];
  });
  return { ...base, ...Object.fromEntries(merged) };
}

/** An image that comes another way than its distribution's others has nothing to take over from them. */
function mergeSources(defaults: unknown, own: unknown, merged: Fields): Fields {
  if (!isFields(defaults) || !isFields(own)) return merged;
  const [usual, wanted] = [sourceKind(defaults), sourceKind(own)];
  return usual === undefined || wanted === undefined || usual === wanted ? merged : own;
}

function sourceKind(source: Fields): "listed" | "pinned" | "supplied" | undefined {
  if ("supplied" in source) return "supplied";
  if ("checksum" in source) return "pinned";
  return "checksums" in source ? "listed" : undefined;
}

/** Says of which kind it is, and makes URLs of the names of files that lie beside the image. */
function completeSource(source: Fields): Fields {
  const kind = sourceKind(source) ?? "listed";
  if (kind !== "listed") return { kind, ...source };
  const { url, checksums, signature } = source;
  return {
    kind,
    algorithm: "sha256",
    ...source,
    checksums: beside(url, checksums),
    ...(signature !== undefined && { signature: signature === "inline" ? signature : beside(url, signature) }),
  };
}

function beside(url: unknown, name: unknown): unknown {
  return typeof url === "string" && typeof name === "string" && URL.canParse(name, url)
    ? new URL(name, url).href
    : name;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function listYaml(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((file) => file.endsWith(".yaml")).sort();
}

/** @returns undefined for text that is not YAML */
async function readYaml(path: string): Promise<unknown> {
  try {
    return parse(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
}
