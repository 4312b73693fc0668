import { mkdir, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../common/run.ts";

export interface FastDisk extends AsyncDisposable {
  /** Where the file system is mounted. */
  directory: string;
  /** Makes the file system anew. */
  format(): Promise<void>;
}

/**
 * An ext4 file system on a disk that lies in memory: what is measured is the work of laying an image, and not the disk
 * of the machine that measures.
 */
export async function openFastDisk(sizeBytes: number): Promise<FastDisk> {
  const base = await mkdtemp("/var/tmp/bench-disk-");
  const memory = join(base, "memory");
  const directory = join(base, "target");
  for (const path of [memory, directory]) await mkdir(path);
  await run("mount", ["-t", "tmpfs", "-o", "nodev,nosuid", "tmpfs", memory], { doing: "mounting a memory disk" });
  let disk = "";
  let formatted = 0;
  // Lazily: a mount namespace that somebody made meanwhile may hold what was mounted here.
  const unmount = (path: string) => run("umount", ["--lazy", path], { doing: `unmounting ${path}`, accept: [0, 32] });
  return {
    directory,
    async format() {
      await unmount(directory);
      await rm(disk, { force: true });
      // A new one each time, since the old one may be held.
      formatted += 1;
      disk = join(memory, `${formatted}.raw`);
      await writeFile(disk, "");
      await truncate(disk, sizeBytes);
      const options = ["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", disk];
      await run("mkfs.ext4", options, { doing: "making a file system" });
      await run("mount", ["-o", "loop,nodev,nosuid", disk, directory], { doing: "mounting the target" });
    },
    async [Symbol.asyncDispose]() {
      await unmount(directory);
      await unmount(memory);
      await rm(base, { recursive: true });
    },
  };
}
