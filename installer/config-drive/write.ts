import { open } from "node:fs/promises";
import { Failure } from "../../common/failure.ts";
import { reveal } from "../../common/secret.ts";
import type { Step } from "../step.ts";
import { makeConfigDriveImage } from "./image.ts";

type WriteConfigDrive = Extract<Step, { kind: "config-drive" }>;

/**
 * Makes the file system once and writes it to every disk's config-drive partition; the bytes are on the disks when it
 * returns.
 */
export async function writeConfigDrive(
  { partitions, sizeBytes, format, files }: WriteConfigDrive,
  signal: AbortSignal,
): Promise<void> {
  const contents = new Map(files.map(({ path, content }) => [path, reveal(content)]));
  const image = await makeConfigDriveImage(contents, { sizeBytes, format, signal });
  for (const partition of partitions) {
    await using handle = await open(partition, "r+");
    const { bytesWritten } = await handle.write(image);
    if (bytesWritten !== image.length) {
      throw new Failure({
        code: "write-short",
        kind: "failed",
        message: `writing the config drive to ${partition}: ${bytesWritten} of ${image.length} bytes were written`,
      });
    }
    await handle.sync();
  }
}
