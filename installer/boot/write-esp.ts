import { mkdir } from "node:fs/promises";
import { type RunOptions, run } from "../../common/run.ts";

/** Copies a folder's content to an ESP that is not mounted; on the disk when it returns. */
export async function writeEsp(device: string, source: string, target: string, options: RunOptions): Promise<void> {
  const staging = `${target}-esp`;
  await mkdir(staging, { recursive: true });
  await run("mount", ["-t", "vfat", "-o", "nodev,nosuid,noexec", device, staging], options);
  try {
    const copy = ["--recursive", "--no-dereference", "--preserve=timestamps", "--no-target-directory"];
    await run("cp", [...copy, source, staging], options);
    await run("sync", ["--file-system", staging], options);
  } finally {
    await run("umount", [staging], options);
  }
}
