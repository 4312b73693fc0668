import { link, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "../../common/run.ts";
import { anyDate, volumeLabel } from "./format.ts";
import { requireRoom } from "./size.ts";

/** Hard links where the content is the same: xorriso stores it once, so a second version of the tree costs nothing. */
async function writeTree(root: string, files: ReadonlyMap<string, string>): Promise<void> {
  const written = new Map<string, string>();
  for (const [path, content] of files) {
    const file = join(root, path);
    await mkdir(dirname(file), { recursive: true });
    const same = written.get(content);
    if (same === undefined) await writeFile(file, content);
    else await link(same, file);
    written.set(content, same ?? file);
  }
}

/**
 * ISO 9660 with Rock Ridge and Joliet, readable by root alone once mounted.
 * @param work an empty directory of ours
 */
export async function makeIso(
  files: ReadonlyMap<string, string>,
  work: string,
  { sizeBytes, signal }: { sizeBytes: number; signal?: AbortSignal },
): Promise<Buffer> {
  const tree = join(work, "tree");
  const iso = join(work, "config-drive.iso");
  await writeTree(tree, files);
  const format = ["-volid", volumeLabel, "-rational-rock", "-joliet", "-no-pad"];
  const sameForAll = ["-uid", "0", "-gid", "0", "-dir-mode", "0700", "-file-mode", "0600"];
  // xorrisofs(1): `--set_all_file_dates`, and SOURCE_DATE_EPOCH for the volume's own.
  const dates = ["--set_all_file_dates", anyDate.text];
  await run("xorriso", ["-no_rc", "-as", "mkisofs", "-quiet", ...format, ...sameForAll, ...dates, "-o", iso, tree], {
    doing: "making the config drive",
    env: { SOURCE_DATE_EPOCH: String(anyDate.seconds) },
    ...(signal && { signal }),
  });
  const image = await readFile(iso);
  requireRoom(image.length, sizeBytes);
  return Buffer.concat([image], sizeBytes);
}
