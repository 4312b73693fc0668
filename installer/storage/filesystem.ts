import { deriveUuid, deriveVolumeNumber } from "../identity.ts";
import type { Command, Step } from "../step.ts";
import { chainOf, type Device } from "./device.ts";
import type { FeatureArguments } from "./filesystem-features.ts";
import { storageInvalid } from "./storage-invalid.ts";
import type { FullLayout } from "./storage-schema.ts";

/** A file system of the target, and where it is mounted there: one for every mounted subvolume. */
export interface Filesystem {
  /** What it is on, as the layout names it. */
  name: string;
  type: "ext4" | "xfs" | "btrfs" | "vfat";
  device: string;
  sizeBytes: number;
  label: string;
  /** As mkfs takes it: a UUID, or eight hexadecimal digits for vfat. */
  id: string;
  mountPoint: string;
  mountOptions: string;
  /** Of btrfs. */
  subvolume?: string;
  /** fsck order: fstab(5), field 6. */
  checkPass: 0 | 1 | 2;
}

export type FilesystemWish = FullLayout["filesystems"][number];

const mebibyte = 2 ** 20;

/**
 * The least that mkfs takes, and how long a label may be. mkfs.xfs refuses less than 300 MiB since xfsprogs 5.19;
 * mkfs.btrfs wants 109 MiB and names 114294784 bytes; FAT32 has at least 65,525 clusters of one sector.
 */
const kinds = {
  ext4: { leastBytes: 16 * mebibyte, labelLength: 16 },
  xfs: { leastBytes: 300 * mebibyte, labelLength: 12 },
  btrfs: { leastBytes: 128 * mebibyte, labelLength: 255 },
  vfat: { leastBytes: 36 * mebibyte, labelLength: 11 },
} as const;

/** Up to here writing ext4's inode tables takes seconds, and the first boot need not do it (16 MiB for every GiB). */
const initializedBytes = 128 * 2 ** 30;

/**
 * @returns one for the file system, or one for each of its subvolumes
 * @throws Failure `storage-invalid` (configuration)
 */
export function layOutFilesystem(
  { on, type, mount, options, subvolumes }: FilesystemWish,
  device: Device,
  instanceUuid: string,
): Filesystem[] {
  const { path, sizeBytes, logicalSectorBytes } = device;
  if (type === "swap") throw new Error("swap is no file system");
  const { leastBytes, labelLength } = kinds[type];
  const least = type === "vfat" ? (leastBytes * logicalSectorBytes) / 512 : leastBytes;
  if (sizeBytes < least) {
    throw storageInvalid(
      `${type} wants ${least / mebibyte} MiB, and ${on} has ${Math.floor(sizeBytes / mebibyte)} MiB`,
    );
  }
  const label = on.split("/").at(-1) ?? on;
  const common = {
    name: on,
    type,
    device: path,
    sizeBytes,
    label: (type === "vfat" ? label.toUpperCase() : label).slice(0, labelLength),
    id: (type === "vfat" ? deriveVolumeNumber : deriveUuid)(instanceUuid, `filesystem ${on}`),
  };
  const place = (mountPoint: string, given: string | undefined) => ({
    mountPoint,
    mountOptions: mountOptions(type, mountPoint, given, device),
    checkPass: checkPass(type, mountPoint),
  });
  if (subvolumes === undefined) {
    if (mount === undefined) throw storageInvalid(`the file system on ${on} is mounted nowhere`);
    return [{ ...common, ...place(mount, options) }];
  }
  if (type !== "btrfs") throw storageInvalid(`the ${type} on ${on} has subvolumes, which only btrfs can`);
  if (mount !== undefined || options !== undefined) {
    throw storageInvalid(`the btrfs on ${on} has subvolumes: mount points and options are theirs`);
  }
  const names = subvolumes.map((subvolume) => subvolume.name);
  const twice = names.find((subvolume, index) => names.indexOf(subvolume) !== index);
  if (twice !== undefined) throw storageInvalid(`the subvolume ${twice} on ${on} is given twice`);
  return subvolumes.map((subvolume) => ({
    ...common,
    ...place(subvolume.mount, [`subvol=${subvolume.name}`, subvolume.options].filter(Boolean).join(",")),
    subvolume: subvolume.name,
  }));
}

function mountOptions(type: Filesystem["type"], mountPoint: string, given: string | undefined, device: Device): string {
  const own = type === "ext4" && mountPoint === "/" ? "errors=remount-ro" : undefined;
  const isOnArray = chainOf(device).some(({ kind }) => kind === "array");
  const patience = mountPoint !== "/" && isOnArray && !given?.includes("x-systemd.device-timeout=");
  const all = [own, given, patience ? degradedPatience : undefined];
  return all.filter((words) => words !== undefined).join(",") || "defaults";
}

/**
 * An array that lacks a member starts half a minute after the last one has come (mdadm-last-resort@.timer), which on a
 * slow server is not within the 90 s that systemd waits for a device, and without /boot or /var no server comes up. The
 * root file system's array is started before, in the initramfs.
 */
const degradedPatience = "x-systemd.device-timeout=300s";

/** XFS and btrfs are not checked at boot: fsck.xfs(8), fsck.btrfs(8). */
function checkPass(type: Filesystem["type"], mountPoint: string): 0 | 1 | 2 {
  if (type === "xfs" || type === "btrfs") return 0;
  return mountPoint === "/" ? 1 : 2;
}

/** @param filesystem of several on one device, as subvolumes, the first; `subvolumes` names all of them */
export function formatStep(
  filesystem: Filesystem,
  subvolumes: readonly string[],
  target: string,
  features: FeatureArguments,
): Step {
  const { name, type, label } = filesystem;
  const named = subvolumes.length > 0 ? ` with ${subvolumes.join(", ")}` : "";
  return {
    kind: "commands",
    name: `format-${name.replace("/", "-")}`,
    title: `make ${type} ${label}${named}`,
    commands: [
      makeCommand(filesystem, features),
      ...subvolumeCommands(filesystem, subvolumes, target),
      ["udevadm", "settle"],
    ],
  };
}

function makeCommand({ type, device, sizeBytes, label, id }: Filesystem, features: FeatureArguments): Command {
  switch (type) {
    case "ext4": {
      const now = sizeBytes <= initializedBytes ? ["-E", "lazy_itable_init=0,lazy_journal_init=0"] : [];
      return ["mkfs.ext4", "-F", "-q", ...features.ext4, ...now, "-L", label, "-U", id, device];
    }
    case "xfs":
      return ["mkfs.xfs", "-f", "-q", ...features.xfs, "-L", label, "-m", `uuid=${id}`, device];
    case "btrfs":
      return ["mkfs.btrfs", "-f", "-q", ...features.btrfs, "-L", label, "-U", id, device];
    case "vfat":
      return ["mkfs.vfat", "-F", "32", "-n", label, "-i", id, device];
  }
}

function subvolumeCommands({ device }: Filesystem, subvolumes: readonly string[], target: string): Command[] {
  if (subvolumes.length === 0) return [];
  const directory = `${target}-subvolumes`;
  return [
    ["mkdir", "--parents", directory],
    ["mount", "-t", "btrfs", device, directory],
    ...subvolumes.map((name): Command => ["btrfs", "subvolume", "create", `${directory}/${name}`]),
    ["umount", directory],
  ];
}

/** File systems must come in the order of their mount points, `/` first. */
export function mountStep(filesystems: readonly Filesystem[], target: string): Step {
  return {
    kind: "commands",
    name: "mount",
    title: `mount ${filesystems.map(({ mountPoint }) => mountPoint).join(", ")}`,
    commands: filesystems.flatMap(({ type, device, mountPoint, subvolume }): Command[] => {
      const directory = mountPoint === "/" ? target : `${target}${mountPoint}`;
      const options = subvolume === undefined ? [] : ["-o", `subvol=${subvolume}`];
      return [
        ["mkdir", "--parents", directory],
        ["mount", "-t", type, ...options, device, directory],
      ];
    }),
  };
}

/** A line of fstab(5), by UUID, since device names change between boots. */
export function describeMount({ type, id, mountPoint, mountOptions, checkPass }: Filesystem): string {
  const uuid = type === "vfat" ? `${id.slice(0, 4)}-${id.slice(4)}` : id;
  return `UUID=${uuid} ${mountPoint} ${type} ${mountOptions} 0 ${checkPass}`;
}
