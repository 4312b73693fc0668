import type { Firmware } from "../../../installer/boot/family.ts";
import { fullLayout, layOut } from "../../../installer/storage/layout.ts";
import { storageSchema } from "../../../installer/storage/storage-schema.ts";
import { sampleDisk } from "../samples.ts";

export const instanceUuid = "11111111-2222-4333-8444-555555555555";
export const mebibyte = 2 ** 20;
const gibibyte = 2 ** 30;

export interface Machine {
  system?: number;
  backup?: number;
  sizeBytes?: number;
  logicalSectorBytes?: number;
  firmware?: Firmware[];
}

function groupsOf({ system = 2, backup = 0, sizeBytes = 20 * gibibyte, logicalSectorBytes = 512 }: Machine) {
  const disks = (letters: string) =>
    [...letters].map((letter) => sampleDisk(letter, { sizeBytes, logicalSectorBytes }));
  const groups = [{ name: "system", disks: disks("abcdefgh".slice(0, system)) }];
  return backup > 0 ? [...groups, { name: "backup", disks: disks("stuvwxyz".slice(0, backup)) }] : groups;
}

/** A job's `storage` on a machine that is made for it. */
export function lay(storage: unknown, machine: Machine = {}) {
  const { firmware = ["uefi", "bios"] } = machine;
  const options = { instanceUuid, hostname: "web-1", firmware, configDriveBytes: mebibyte };
  return layOut(fullLayout(storageSchema.parse(storage)), groupsOf(machine), options);
}
