import { run } from "../../common/run.ts";

/** Where boot loaders of a system disk are: in front of its partitions, and on its ESP. */
export interface LoaderPlaces {
  disk: string;
  esp: string;
}

const doing = "keeping the unfinished system from booting";

/** The boot code of a disk: what a BIOS starts ends where the table's own fields begin (UEFI specification, 5.2.1). */
const bootCodeBytes = 440;

/** Takes the boot loaders away, so that no firmware starts a system whose installation failed. */
export async function makeUnbootable(places: readonly LoaderPlaces[]): Promise<void> {
  for (const { disk, esp } of places) {
    await run("dd", ["if=/dev/zero", `of=${disk}`, `bs=${bootCodeBytes}`, "count=1", "conv=notrunc,fsync"], { doing });
    // umount(8) exits with 32 where it is not mounted.
    await run("umount", [esp], { doing, accept: [0, 32] });
    await run("wipefs", ["--all", "--force", "--quiet", esp], { doing });
  }
}
