import { statfs } from "node:fs/promises";
import { formatSize } from "../common/units.ts";
import { targetMounts } from "./target-mounts.ts";

/** ext4 keeps some hundredths to itself, and what has failed to be written may leave room for something smaller. */
const scarce = 0.05;

/** Which file systems of the target are full, in words: "/var (2 GiB) is full". */
export async function describeFullPlaces(target: string): Promise<string> {
  const mounts = await targetMounts(target);
  const told = await Promise.all(mounts.map((mount) => describeIfFull(mount, mount.slice(target.length) || "/")));
  return told.filter((words) => words !== undefined).join(", ") || "a file system of the target is full";
}

/** btrfs counts no inodes: `files` is 0. */
async function describeIfFull(mount: string, name: string): Promise<string | undefined> {
  const { bsize, blocks, bfree, files, ffree } = await statfs(mount);
  if (bfree <= blocks * scarce) return `${name} (${formatSize(blocks * bsize)}) is full`;
  return files > 0 && ffree === 0 ? `${name} has no inodes left` : undefined;
}
