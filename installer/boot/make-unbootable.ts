import { stat } from "node:fs/promises";
import { run } from "../../common/run.ts";

/** Where boot loaders of a system disk are: in front of its partitions, and on its ESP. */
export interface LoaderPlaces {
  disk: string;
  esp: string;
  /** The array that the ESP is a member of. */
  espArray?: string;
}

const doing = "keeping the unfinished system from booting";

/** The boot code of a disk: what a BIOS starts ends where the table's own fields begin (UEFI specification, 5.2.1). */
const bootCodeBytes = 440;

/**
 * Holds a FAT's boot sector and the copy of it. A file system whose signature alone is gone can still be read: drivers
 * differ in what they take for a FAT.
 */
const fatHeadBytes = 2 ** 20;

/**
 * What takes the boot loaders away, so that no firmware starts a system whose installation failed. Each task stands for
 * itself: one that fails leaves the others their disks.
 */
export function unbootableTasks(places: readonly LoaderPlaces[]): (() => Promise<void>)[] {
  const arrays = [...new Set(places.flatMap(({ espArray }) => espArray ?? []))];
  return [
    ...arrays.map((array) => () => emptyArray(array)),
    ...places.flatMap(({ disk, esp }) => [() => clearBootCode(disk), () => emptyEsp(esp)]),
  ];
}

async function clearBootCode(disk: string): Promise<void> {
  await clearHead(disk, bootCodeBytes);
}

async function emptyEsp(esp: string): Promise<void> {
  // umount(8) exits with 32 where it is not mounted.
  await run("umount", [esp], { doing, accept: [0, 32] });
  await clearHead(esp, fatHeadBytes);
  await run("wipefs", ["--all", "--force", "--quiet", esp], { doing });
}

/** A disk that is gone must not become a file of its name, which would stay in the way of the disk itself. */
async function clearHead(device: string, bytes: number): Promise<void> {
  const options = [`bs=${bytes}`, "count=1", "conv=nocreat,notrunc,fsync"];
  await run("dd", ["if=/dev/zero", `of=${device}`, ...options], { doing });
}

/**
 * Empties the array through its own device, and stops it: as long as it holds its members, what the kernel has cached of
 * them can be older than what is on them.
 */
async function emptyArray(array: string): Promise<void> {
  const isAssembled = await stat(array).then(
    () => true,
    () => false,
  );
  if (!isAssembled) return;
  await run("umount", [array], { doing, accept: [0, 32] });
  await clearHead(array, fatHeadBytes);
  // One that is still in use stays, and is empty: mdadm(8), exit status.
  await run("mdadm", ["--stop", array], { doing, accept: [0, 1] });
}
