import { readdir } from "node:fs/promises";
import { resolveInRoot } from "../../common/rooted-path.ts";
import { findFile } from "../../common/tree-file.ts";
import type { Family, FirmwarePart } from "./family.ts";

/**
 * @returns which parts of a boot the tree has the programs for
 * @throws Failure `link-loop` (integrity)
 */
export async function findBootLoaders(tree: string, family: Family): Promise<Record<FirmwarePart, boolean>> {
  const has = async (part: FirmwarePart) => {
    for (const pattern of family.firmware[part]) if (await matches(tree, "", pattern.split("/"))) return true;
    return false;
  };
  const [bios, uefi, shim, signedGrub] = await Promise.all([has("bios"), has("uefi"), has("shim"), has("signedGrub")]);
  return { bios, uefi, shim, signedGrub };
}

/** Patterns are ours and have few stars, folders that are asked for have few entries. */
async function matches(tree: string, folder: string, [name, ...rest]: readonly string[]): Promise<boolean> {
  if (name === undefined) return (await findFile(tree, folder)) !== undefined;
  if (name !== "*") return matches(tree, `${folder}/${name}`, rest);
  for (const entry of await listFolder(tree, folder)) {
    if (await matches(tree, `${folder}/${entry}`, rest)) return true;
  }
  return false;
}

/** @returns the names in a folder of the tree, sorted; none where there is no such folder */
export async function listFolder(tree: string, folder: string): Promise<string[]> {
  const names = await readdir(await resolveInRoot(tree, folder, "follow")).catch(() => []);
  return names.sort();
}
