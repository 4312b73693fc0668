import { type DiskRequests, systemGroup } from "../disk-request.ts";
import { expandPreset } from "./expand-preset.ts";
import { overheadBytes } from "./partition.ts";
import type { FullLayout, Preset } from "./storage-schema.ts";

/** Which part of the image each of n system disks has to hold at least, by preset. */
const shares: Record<Preset["preset"], (disks: number) => number> = {
  single: () => 1,
  raid0: (disks) => 1 / disks,
  raid1: () => 1,
  raid5: (disks) => 1 / Math.max(1, disks - 1),
  raid6: (disks) => 1 / Math.max(1, disks - 2),
  raid10: (disks) => 2 / disks,
};

/**
 * What a system disk has to hold at least, for choosing disks: before anything is laid out on them, and without the
 * config drive, whose size hangs on their sectors.
 * @param imageBytes what the image wants of a disk
 */
export function smallestDiskBytes(
  { storage, disks }: { storage: Preset | FullLayout; disks: DiskRequests },
  imageBytes: number,
): number {
  const { partitions } = "preset" in storage ? expandPreset(storage) : storage;
  const fixedBytes = partitions
    .filter(({ group }) => group === systemGroup)
    .reduce((sum, { size }) => sum + (size !== "rest" && "bytes" in size ? size.bytes : 0), 0);
  const count = disks[systemGroup]?.count ?? 1;
  const shareBytes = "preset" in storage ? Math.ceil(imageBytes * shares[storage.preset](count)) : 0;
  return overheadBytes(0) + fixedBytes + shareBytes;
}
