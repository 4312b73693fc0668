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

/** A disk that is gone must not become a file of its name, which would stay in the way of the disk itself. */
async function clearBootCode(disk: string): Promise<void> {
  const options = [`bs=${bootCodeBytes}`, "count=1", "conv=nocreat,notrunc,fsync"];
  await run("dd", ["if=/dev/zero", `of=${disk}`, ...options], { doing });
}

async function emptyEsp(esp: string): Promise<void> {
  // umount(8) exits with 32 where it is not mounted.
  await run("umount", [esp], { doing, accept: [0, 32] });
  await run("wipefs", ["--all", "--force", "--quiet", esp], { doing });
}

/**
 * Empties the array through its own device, and stops it: as long as it holds its members, what the kernel has cached of
 * them can be older than what is on them, and wipefs would overlook the file system.
 */
async function emptyArray(array: string): Promise<void> {
  const isAssembled = await stat(array).then(
    () => true,
    () => false,
  );
  if (!isAssembled) return;
  await run("umount", [array], { doing, accept: [0, 32] });
  await run("wipefs", ["--all", "--force", "--quiet", array], { doing });
  // One that is still in use stays, and is empty: mdadm(8), exit status.
  await run("mdadm", ["--stop", array], { doing, accept: [0, 1] });
}
