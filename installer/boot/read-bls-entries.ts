import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { resolveInRoot } from "../../common/rooted-path.ts";
import { readText } from "../../common/tree-file.ts";

export const blsFolder = "/boot/loader/entries";

export interface BlsEntryFile {
  path: string;
  mode: number;
  content: string;
}

/** The boot entries of a target, in the order of their names; none where it has no such folder. */
export async function readBlsEntries(target: string): Promise<BlsEntryFile[]> {
  const place = await resolveInRoot(target, blsFolder, "follow");
  const names = (await readdir(place).catch(() => [])).filter((name) => name.endsWith(".conf")).sort();
  const entries = await Promise.all(
    names.map(async (name) => {
      const path = `${blsFolder}/${name}`;
      const content = await readText(target, path);
      const { mode } = await lstat(join(place, name));
      return content === undefined ? [] : [{ path, mode: mode & 0o777, content }];
    }),
  );
  return entries.flat();
}
