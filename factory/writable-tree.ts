import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { reportStep } from "../common/event.ts";
import { copyTree, createWorkTree, workTreeBytes } from "./disk/work-tree.ts";
import type { OpenedImage, OpenImageOptions } from "./open-image.ts";

/**
 * Copies what is mounted of a disk, however many file systems that is, into one that can be written to and has room for
 * packages. What was unpacked from an archive is that already.
 * @returns the tree's path inside the image's namespace
 * @throws Failure of `createWorkTree` and `copyTree`
 */
export async function makeWritable(image: OpenedImage, options: OpenImageOptions): Promise<string> {
  const { namespace, directory: from, disk, usedBytes } = image;
  const { scratch, emit, signal } = options;
  if (disk === undefined) return from;
  const directory = join(scratch, "tree");
  const interruptible = signal ? { signal } : {};
  await reportStep(emit, { step: "copy", title: "Copy the tree to where it can be changed" }, async () => {
    await mkdir(directory, { recursive: true });
    const file = join(scratch, "tree.ext4");
    await createWorkTree({ namespace, file, directory, sizeBytes: workTreeBytes(usedBytes), ...interruptible });
    await copyTree(namespace, from, directory, interruptible);
  });
  return directory;
}
