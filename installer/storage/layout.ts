import type { Disk } from "../hardware.ts";
import { deriveUuid, deriveVolumeNumber } from "../identity.ts";
import type { Job } from "../job.ts";
import type { Step } from "../step.ts";
import { type ArrayLayout, assembleStep, layOutArray } from "./array.ts";
import { type Filesystem, formatStep, mountStep } from "./filesystem.ts";
import { type DiskLayout, layOutDisk, partitionOf, partitionStep, wipeStep } from "./partition.ts";

/** Everything that will lie on the server's disks. */
export interface Layout {
  disks: readonly DiskLayout[];
  arrays: readonly ArrayLayout[];
  /** The mounted ones, `/` first. */
  filesystems: readonly Filesystem[];
  /** One ESP a disk; the first is also in `filesystems`. */
  esps: readonly Filesystem[];
}

/** The presets, by what their root file system stands on. */
export function layOut(
  job: Pick<Job, "storage">,
  disks: readonly Disk[],
  instanceUuid: string,
  hostname: string,
): Layout {
  const layouts = disks.map((disk) => layOutDisk(disk, instanceUuid, job.storage === "raid1" ? "fd00" : "8300"));
  const members = layouts.map((layout) => partitionOf(layout, "root").path);
  const arrays = job.storage === "raid1" ? [layOutArray("root", members, instanceUuid, hostname)] : [];
  const device = arrays[0]?.path ?? members[0] ?? "";
  const root: Filesystem = {
    type: "ext4",
    device,
    label: "root",
    id: deriveUuid(instanceUuid, "filesystem root"),
    mountPoint: "/",
    mountOptions: "errors=remount-ro",
    checkPass: 1,
  };
  const esps = layouts.map((layout, index) => layOutEsp(layout, index, instanceUuid));
  return { disks: layouts, arrays, filesystems: [root, ...esps.slice(0, 1)], esps };
}

/** A server whose first disk is gone must still boot: the ESP may be missing. */
function layOutEsp(layout: DiskLayout, index: number, instanceUuid: string): Filesystem {
  return {
    type: "vfat",
    device: partitionOf(layout, "esp").path,
    label: `EFI-${index + 1}`,
    id: deriveVolumeNumber(instanceUuid, `esp ${layout.disk.path}`),
    mountPoint: "/boot/efi",
    mountOptions: "umask=0077,nofail,x-systemd.device-timeout=15s",
    checkPass: 0,
  };
}

/** From old disks to mounted file systems. */
export function storageSteps(
  { disks, arrays, filesystems, esps }: Layout,
  instanceUuid: string,
  target: string,
): Step[] {
  return [
    ...disks.map(({ disk }, index) => wipeStep(disk, index)),
    ...disks.map((layout, index) => partitionStep(layout, instanceUuid, index)),
    ...arrays.map(assembleStep),
    ...filesystems
      .filter(({ mountPoint }) => mountPoint !== "/boot/efi")
      .map((filesystem) => formatStep(filesystem, filesystem.label)),
    ...esps.map((esp, index) => formatStep(esp, `esp-${index + 1}`)),
    mountStep(filesystems, target),
  ];
}

/** The way back: nothing of the target stays mounted or assembled. */
export function releaseStep({ arrays }: Layout, target: string): Step {
  return {
    kind: "commands",
    name: "release",
    title: "unmount the target and stop its arrays",
    commands: [
      ["umount", "--recursive", target],
      ...arrays.map(({ path }) => ["mdadm", "--stop", path] as const),
      ["sync"],
    ],
  };
}
