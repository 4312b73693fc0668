import { statfs } from "node:fs/promises";
import { Failure } from "../../common/failure.ts";
import { formatSize } from "../../common/units.ts";

export interface Limits {
  /** Builds at a time, if there is room for so many. */
  parallel: number;
  /** Disk that one build takes at its peak: vendor image, disk, root file system and archive. */
  diskPerBuildBytes: number;
  memoryPerBuildBytes: number;
}

/** What this machine has left. */
export interface Room {
  diskBytes: number;
  memoryBytes: number;
}

/** @param directory where the builds will work */
export async function measureRoom(directory: string): Promise<Room> {
  const { bavail, bsize } = await statfs(directory);
  return { diskBytes: bavail * bsize, memoryBytes: process.availableMemory() };
}

/**
 * How many builds fit side by side.
 * @throws Failure `room-missing` (configuration) where there is no disk for a single one. Memory that is short slows one
 *   build down and does not break it.
 */
export function countBuilds({ parallel, diskPerBuildBytes, memoryPerBuildBytes }: Limits, room: Room): number {
  const byDisk = Math.floor(room.diskBytes / diskPerBuildBytes);
  if (byDisk < 1) {
    throw new Failure({
      code: "room-missing",
      kind: "configuration",
      message: `making room for a build: ${formatSize(room.diskBytes)} are free, one build takes ${formatSize(diskPerBuildBytes)}`,
      hint: "make room, let `work` be on a larger disk, or lower `diskPerBuild` if your images are smaller",
      data: { ...room },
    });
  }
  const byMemory = Math.max(Math.floor(room.memoryBytes / memoryPerBuildBytes), 1);
  return Math.min(parallel, byDisk, byMemory);
}
