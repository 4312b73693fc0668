import { deriveVolumeNumber } from "../identity.ts";
import { type ArrayLayout, layOutArray } from "./array.ts";
import type { Filesystem } from "./filesystem.ts";
import { partitionsNamed, type ServerIdentity } from "./lay-out-devices.ts";
import { type DiskLayout, partitionOf } from "./partition.ts";
import { storageInvalid } from "./storage-invalid.ts";
import type { FullLayout } from "./storage-schema.ts";

interface Esps {
  /** The first is what is mounted. */
  esps: Filesystem[];
  espArray: ArrayLayout | undefined;
}

/**
 * A server whose first disk is gone must still boot: the ESP may be missing. It is checked at every boot, since a FAT that
 * was not unmounted stays marked and complained of until then, and a cut may have left two names for the same clusters.
 * That never keeps the server from booting: fsck.fat(8) ends with 1 whatever it found, "corrected" to systemd, and an
 * image without fsck.vfat goes unchecked (systemd-fsck(8)).
 */
const common = { type: "vfat", mountPoint: "/boot/efi", checkPass: 2 } as const;

/**
 * The EFI system partitions: a file system on each system disk, or one on an array of all of them. Firmware knows no
 * arrays, so each member must look like the file system itself and be the same as the others from the start: metadata at
 * the end, and a copy of the first before the file system is made, which takes seconds.
 * @param disks the system disks
 * @throws Failure `storage-invalid`, `disk-sectors-mixed` (configuration)
 */
export function layOutEsps(wish: FullLayout["esp"], disks: readonly DiskLayout[], server: ServerIdentity): Esps {
  const { instanceUuid, hostname } = server;
  if (wish === "per-disk") {
    return { esps: disks.map((disk, index) => layOutOwn(disk, index, instanceUuid)), espArray: undefined };
  }
  if (disks.length < 2) {
    throw storageInvalid(
      "the ESP as a RAID1 wants at least 2 system disks, and there is one",
      "raise disks.count, or leave storage.esp out",
    );
  }
  const { array, path, sizeBytes } = layOutArray(
    { name: "esp", level: 1, on: "esp", metadata: "1.0", spares: 0, bitmap: "none", sync: "create" },
    partitionsNamed("esp", disks),
    instanceUuid,
    hostname,
  );
  const esp: Filesystem = {
    ...common,
    name: "esp",
    device: path,
    sizeBytes,
    label: "EFI",
    id: deriveVolumeNumber(instanceUuid, "esp"),
    // Longer than the 30 s that mdadm waits for a missing member before it starts the array: mdadm-last-resort@.timer.
    mountOptions: "umask=0077,nofail,x-systemd.device-timeout=60s",
  };
  return { esps: [esp], espArray: array };
}

function layOutOwn(disk: DiskLayout, index: number, instanceUuid: string): Filesystem {
  const { path, sizeBytes } = partitionOf(disk, "esp");
  return {
    ...common,
    name: `esp-${index + 1}`,
    device: path,
    sizeBytes,
    label: `EFI-${index + 1}`,
    id: deriveVolumeNumber(instanceUuid, `esp ${disk.disk.path}`),
    mountOptions: "umask=0077,nofail,x-systemd.device-timeout=15s",
  };
}
