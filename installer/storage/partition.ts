import type { Disk } from "../hardware.ts";
import { deriveUuid } from "../identity.ts";
import type { Command, Step } from "../step.ts";

const mebibyte = 2 ** 20;

/** Roles in the order they lie on every system disk. Types are sgdisk's codes for GPT type GUIDs. */
const fixedPartitions = [
  { role: "bios-boot", typeCode: "ef02", sizeBytes: mebibyte },
  { role: "esp", typeCode: "ef00", sizeBytes: 512 * mebibyte },
  { role: "config-drive", typeCode: "8300", sizeBytes: mebibyte },
] as const;

export type PartitionRole = (typeof fixedPartitions)[number]["role"] | "root";

/** A Linux file system, or a member of a Linux RAID array. */
export type RootTypeCode = "8300" | "fd00";

export interface Partition {
  role: PartitionRole;
  number: number;
  /** Stable path: /dev/disk/by-id/...-part2. */
  path: string;
  startBytes: number;
  sizeBytes: number;
  typeCode: string;
  uuid: string;
}

export interface DiskLayout {
  disk: Disk;
  partitions: readonly Partition[];
}

/**
 * The primary GPT lies before the first partition; its backup, and slack for a slightly smaller spare disk, behind the
 * last.
 */
const headBytes = mebibyte;
const tailBytes = 2 * mebibyte;

/** What a system disk needs beside its root partition. */
export const overheadBytes = headBytes + tailBytes + fixedPartitions.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

export const configDriveBytes = mebibyte;

/**
 * Lays out one system disk: BIOS boot, ESP, config drive, and the rest as root (or as a member of its array). All
 * boundaries are multiples of 1 MiB. Every system disk carries its own copy of all four, so that any of them can be the
 * one that is left.
 */
export function layOutDisk(disk: Disk, instanceUuid: string, rootTypeCode: RootTypeCode): DiskLayout {
  const rootBytes = Math.floor((disk.sizeBytes - overheadBytes) / mebibyte) * mebibyte;
  const roles = [...fixedPartitions, { role: "root", typeCode: rootTypeCode, sizeBytes: rootBytes } as const];
  let startBytes = headBytes;
  const partitions = roles.map(({ role, typeCode, sizeBytes }, index) => {
    const number = index + 1;
    const partition = {
      role,
      number,
      path: partitionPath(disk.path, number),
      startBytes,
      sizeBytes,
      typeCode,
      uuid: deriveUuid(instanceUuid, `partition ${disk.path} ${role}`),
    };
    startBytes += sizeBytes;
    return partition;
  });
  return { disk, partitions };
}

/** udev's links end in -part1; of kernel names, those that end in a digit take a p: nvme0n1p1. */
function partitionPath(disk: string, number: number): string {
  if (disk.startsWith("/dev/disk/")) return `${disk}-part${number}`;
  return /\d$/.test(disk) ? `${disk}p${number}` : `${disk}${number}`;
}

/** @returns the partition with that role; a layout holds each role once */
export function partitionOf({ disk, partitions }: DiskLayout, role: PartitionRole): Partition {
  const partition = partitions.find((candidate) => candidate.role === role);
  if (!partition) throw new Error(`the layout of ${disk.path} has no ${role} partition`);
  return partition;
}

/** Old signatures go from the partitions up to the disk itself, so that none of them shines through the new table. */
export function wipeStep({ name, path, serial, partitions }: Disk, index: number): Step {
  return {
    kind: "commands",
    name: `wipe-${index + 1}`,
    title: `wipe ${name} (${serial || path})`,
    commands: [
      ...partitions.map((partition): Command => ["wipefs", "--all", "--force", "--quiet", partition]),
      ["wipefs", "--all", "--force", "--quiet", path],
      ["sgdisk", "--zap-all", path],
      ["udevadm", "settle"],
    ],
  };
}

/** Makes the table in one go, waits until udev shows every partition, and clears what lay at their new places. */
export function partitionStep({ disk, partitions }: DiskLayout, instanceUuid: string, index: number): Step {
  const sector = (bytes: number) => bytes / disk.logicalSectorBytes;
  const paths = partitions.map(({ path }) => path);
  const create = partitions.flatMap(({ number, startBytes, sizeBytes, typeCode, uuid, role }) => [
    `--new=${number}:${sector(startBytes)}:${sector(startBytes + sizeBytes) - 1}`,
    `--typecode=${number}:${typeCode}`,
    `--change-name=${number}:${role}`,
    `--partition-guid=${number}:${uuid}`,
  ]);
  return {
    kind: "commands",
    name: `partition-${index + 1}`,
    title: `partition ${disk.name}: ${partitions.map(({ role }) => role).join(", ")}`,
    commands: [
      ["sgdisk", `--disk-guid=${deriveUuid(instanceUuid, `disk ${disk.path}`)}`, ...create, disk.path],
      ["udevadm", "wait", "--settle", "--timeout=60", ...paths],
      ["wipefs", "--all", "--force", "--quiet", ...paths],
    ],
  };
}
