import { mkdir, readFile, truncate, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "../../common/run.ts";
import { anyDate, volumeLabel } from "./format.ts";

/** A disk with sectors of 4,096 bytes cannot be read in smaller pieces, and Linux refuses a FAT that has them. */
const sectorBytes = 4096;

const parents = (path: string): string[] => (path.includes("/") ? [...parents(dirname(path)), dirname(path)] : []);

/**
 * FAT12 or FAT16, as mkfs.vfat chooses by the size, with long names. It knows no owners: who may read it is a matter of
 * how it is mounted, and cloud-init mounts it where root alone can look.
 * @param work an empty directory of ours
 */
export async function makeFat(
  files: ReadonlyMap<string, string>,
  work: string,
  { sizeBytes, signal }: { sizeBytes: number; signal?: AbortSignal },
): Promise<Buffer> {
  const image = join(work, "config-drive.fat");
  const options = {
    doing: "making the config drive",
    // mtools takes local times, and the present one for directories unless it is told another.
    env: { TZ: "UTC", SOURCE_DATE_EPOCH: String(anyDate.seconds) },
    ...(signal && { signal }),
  };
  await writeFile(image, "");
  await truncate(image, sizeBytes);
  const geometry = ["-S", String(sectorBytes), "-s", "1"];
  await run("mkfs.vfat", ["--invariant", ...geometry, "-n", volumeLabel, image], options);
  // One by one, in order: what `mcopy -s` finds in a directory comes in any order.
  const paths = [...files.keys()].sort();
  const directories = [...new Set(paths.flatMap(parents))];
  await run("mmd", ["-i", image, ...directories.map((path) => `::/${path}`)], options);
  for (const path of paths) {
    const file = join(work, "tree", path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, files.get(path) ?? "");
    await utimes(file, anyDate.seconds, anyDate.seconds);
    await run("mcopy", ["-m", "-i", image, file, `::/${path}`], options);
  }
  return readFile(image);
}
