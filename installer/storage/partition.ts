import type { Disk } from "../hardware.ts";
import { deriveUuid } from "../identity.ts";
import { labelDisk } from "../label-disk.ts";
import type { Step } from "../step.ts";
import { divide, type Size } from "./size.ts";

const mebibyte = 2 ** 20;

export interface Partition {
  /** Of the layout, or one of `bios-boot`, `esp`, `config-drive`. */
  name: string;
  number: number;
  /** Stable path: /dev/disk/by-id/...-part2. */
  path: string;
  startBytes: number;
  sizeBytes: number;
  /** sgdisk's code for the GPT type GUID. */
  typeCode: string;
  uuid: string;
}

export interface DiskLayout {
  disk: Disk;
  partitions: readonly Partition[];
}

/** What a job asks for on every disk of a group. */
export interface PartitionWish {
  name: string;
  size: Size;
  /** 8300: file system, 8200: swap, 8309: LUKS, 8e00: LVM, fd00: Linux RAID. */
  typeCode: string;
}

/**
 * The primary GPT lies before the first partition; its backup, and slack for a slightly smaller spare disk, behind the
 * last.
 */
const headBytes = mebibyte;
const tailBytes = 2 * mebibyte;

/** Every system disk begins with these, so that any of them can be the one that is left. */
function systemPartitions(configDriveBytes: number) {
  return [
    { name: "bios-boot", typeCode: "ef02", sizeBytes: mebibyte },
    { name: "esp", typeCode: "ef00", sizeBytes: 512 * mebibyte },
    { name: "config-drive", typeCode: "8300", sizeBytes: configDriveBytes },
  ];
}

/** What a system disk needs beside the partitions of the job. */
export function overheadBytes(configDriveBytes: number): number {
  const own = systemPartitions(configDriveBytes).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return headBytes + tailBytes + own;
}

/**
 * Lays out one disk. All boundaries are multiples of 1 MiB, which suits sectors of 512 and 4096 bytes and the erase
 * blocks below them.
 * @param configDriveBytes undefined for a disk that is not a system disk
 * @throws Failure `storage-invalid` (configuration)
 */
export function layOutDisk(
  disk: Disk,
  wishes: readonly PartitionWish[],
  instanceUuid: string,
  configDriveBytes: number | undefined,
): DiskLayout {
  const own = configDriveBytes === undefined ? [] : systemPartitions(configDriveBytes);
  const ownBytes = own.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const freeBytes = disk.sizeBytes - headBytes - tailBytes - ownBytes;
  const sizes = divide(wishes, freeBytes, mebibyte, `on ${labelDisk(disk)}`);
  const all = [...own, ...wishes.map((wish, index) => ({ ...wish, sizeBytes: sizes[index] ?? 0 }))];
  let startBytes = headBytes;
  const partitions = all.map(({ name, typeCode, sizeBytes }, index) => {
    const number = index + 1;
    const path = partitionPath(disk.path, number);
    const uuid = deriveUuid(instanceUuid, `partition ${disk.path} ${name}`);
    const partition = { name, number, path, startBytes, sizeBytes, typeCode, uuid };
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

/** @returns the partition of that name; a disk holds each name once */
export function partitionOf({ disk, partitions }: DiskLayout, name: string): Partition {
  const partition = partitions.find((candidate) => candidate.name === name);
  if (!partition) throw new Error(`the layout of ${disk.path} has no partition ${name}`);
  return partition;
}

/** The GUID of the partition table that an instance's installation puts on a disk. */
export function tableUuid({ path }: Pick<Disk, "path">, instanceUuid: string): string {
  return deriveUuid(instanceUuid, `disk ${path}`);
}

/** Makes the table in one go, waits until udev shows every partition, and clears what lay at their new places. */
export function partitionStep({ disk, partitions }: DiskLayout, instanceUuid: string, index: number): Step {
  const sector = (bytes: number) => bytes / disk.logicalSectorBytes;
  const paths = partitions.map(({ path }) => path);
  const create = partitions.flatMap(({ number, startBytes, sizeBytes, typeCode, uuid, name }) => [
    `--new=${number}:${sector(startBytes)}:${sector(startBytes + sizeBytes) - 1}`,
    `--typecode=${number}:${typeCode}`,
    `--change-name=${number}:${name}`,
    `--partition-guid=${number}:${uuid}`,
  ]);
  return {
    kind: "commands",
    name: `partition-${index + 1}`,
    title: `partition ${labelDisk(disk)}: ${partitions.map(({ name }) => name).join(", ")}`,
    commands: [
      ["sgdisk", `--disk-guid=${tableUuid(disk, instanceUuid)}`, ...create, disk.path],
      ["udevadm", "wait", "--settle", "--timeout=60", ...paths],
      ["wipefs", "--all", "--force", "--quiet", ...paths],
    ],
  };
}
