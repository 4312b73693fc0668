import { z } from "zod";
import type { SecureErase } from "./secure-erase.ts";
import type { Signature } from "./signatures.ts";

/** What several devices make up together, in use or not. */
export interface Whole {
  kind: "array" | "volume group" | "btrfs";
  /** For people; the UUID where it has no name. */
  name: string;
  uuid: string;
}

/** A block device, and what lies directly below it. All of them together are the machine's storage stack. */
export interface StackedDevice {
  /** Kernel name: /dev/sda1, /dev/md127, /dev/dm-0. */
  name: string;
  kind: "disk" | "partition" | "array" | "mapping" | "bcache";
  /** Kernel names of the devices that it lies on: a partition's disk, an array's members. Disks: none. */
  on: readonly string[];
  sizeBytes: number;
  /** Its stable paths below /dev/disk/by-id. */
  links: readonly string[];
  /** Partitions: as in the table, from 1. */
  number: number | undefined;
  mountPoints: readonly string[];
  /** What of it is used as swap: the device itself, or files in its file systems. */
  swaps: readonly string[];
  signatures: readonly Signature[];
  partOf: readonly Whole[];
  /** Bytes from its start to where the content of the array begins that it is a member of. */
  contentOffset: number | undefined;
  /** Device-mapper's name of a mapping: `vg0-root`. */
  mappingName: string | undefined;
  /** Arrays: the kernel's Documentation/admin-guide/md.rst, `array_state` and `level`. */
  array: { state: string; level: string } | undefined;
  /** The file of sysfs that has bcache let go of the device, where it holds it. */
  bcacheStop: string | undefined;
  /** Disks: whether they take discards, and how they erase themselves. */
  erasure: { discards: boolean; secure: SecureErase } | undefined;
}

/** What sysfs, udev and a look at the device say of one of them; names without /dev. */
export interface RawDevice {
  name: string;
  kind: StackedDevice["kind"];
  /** `8:1` */
  deviceNumber: string;
  sizeBytes: number;
  parent: string | undefined;
  slaves: readonly string[];
  links: readonly string[];
  partitionNumber: number | undefined;
  mappingName: string | undefined;
  /** `metadata` of a volume in a container: `external:/md127/0`. */
  array: { state: string; level: string; metadata: string } | undefined;
  signatures: readonly Signature[];
  contentOffset: number | undefined;
  bcacheStop: string | undefined;
  erasure: StackedDevice["erasure"];
}

export interface RawStack {
  devices: readonly RawDevice[];
  /** /proc/self/mountinfo */
  mounts: string;
  /** /proc/swaps, with device links resolved. */
  swaps: readonly string[];
  /** Of every mounted btrfs, the names of its devices. */
  btrfs: readonly (readonly string[])[];
  /** `pvs --reportformat json`, or nothing. */
  physicalVolumes: string;
}

/** Puts together what was read of the machine. */
export function parseStack({ devices, mounts, swaps, btrfs, physicalVolumes }: RawStack): StackedDevice[] {
  const parsedMounts = parseMounts(mounts);
  const volumeGroups = parsePhysicalVolumes(physicalVolumes);
  return devices.map((device) => {
    const name = `/dev/${device.name}`;
    // A mount of a btrfs names one of its devices and lies on all of them.
    const siblings = btrfs.find((names) => names.includes(device.name))?.map((sibling) => `/dev/${sibling}`) ?? [];
    const mountPoints = parsedMounts
      .filter(({ deviceNumber, source }) => deviceNumber === device.deviceNumber || siblings.includes(source))
      .map(({ mountPoint }) => mountPoint);
    const volumeGroup = volumeGroups.get(name) ?? volumeGroups.get(device.links[0] ?? "");
    const container = /^external:\/([^/]+)\//.exec(device.array?.metadata ?? "")?.[1];
    return {
      name,
      kind: device.kind,
      on: [device.parent, container, ...device.slaves]
        .filter((below) => below !== undefined)
        .map((below) => `/dev/${below}`),
      sizeBytes: device.sizeBytes,
      links: device.links,
      number: device.partitionNumber,
      mountPoints,
      swaps: swaps.filter((path) => path === name || mountOf(path, parsedMounts, mountPoints)),
      signatures: device.signatures,
      partOf: [...device.signatures.flatMap(wholeOf), ...(volumeGroup ? [volumeGroup] : [])],
      contentOffset: device.contentOffset,
      mappingName: device.mappingName,
      array: device.array && { state: device.array.state, level: device.array.level },
      bcacheStop: device.bcacheStop,
      erasure: device.erasure,
    };
  });
}

/** An array's label is `HOMEHOST:NAME`. One without a UUID can't be told from another. */
function wholeOf({ type, uuid, label }: Signature): Whole[] {
  if (uuid === "") return [];
  if (type === "linux_raid_member") return [{ kind: "array", name: label || uuid, uuid }];
  if (type === "btrfs") return [{ kind: "btrfs", name: label || uuid, uuid }];
  return [];
}

interface Mount {
  deviceNumber: string;
  mountPoint: string;
  source: string;
}

/** proc_pid_mountinfo(5): fields 3 and 5, and after the separator the source. White space is written in octal. */
function parseMounts(mountinfo: string): Mount[] {
  const decode = (field: string) =>
    field.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
  return mountinfo
    .split("\n")
    .filter((line) => line.includes(" - "))
    .map((line) => {
      const [before = "", after = ""] = line.split(" - ");
      const [, , deviceNumber = "", , mountPoint = ""] = before.split(" ");
      return { deviceNumber, mountPoint: decode(mountPoint), source: decode(after.split(" ")[1] ?? "") };
    });
}

/** Whether a swap file lies in a file system that is mounted at one of these: at the deepest mount above it. */
function mountOf(path: string, mounts: readonly Mount[], mountPoints: readonly string[]): boolean {
  const above = mounts
    .map(({ mountPoint }) => mountPoint)
    .filter((point) => path.startsWith(point.endsWith("/") ? point : `${point}/`))
    .sort((a, b) => b.length - a.length);
  return !path.startsWith("/dev/") && above[0] !== undefined && mountPoints.includes(above[0]);
}

const physicalVolumesSchema = z.object({
  report: z.array(
    z.object({ pv: z.array(z.object({ pv_name: z.string(), vg_name: z.string(), vg_uuid: z.string() })) }),
  ),
});

function parsePhysicalVolumes(output: string): Map<string, Whole> {
  if (output.trim() === "") return new Map();
  const volumes = physicalVolumesSchema.parse(JSON.parse(output)).report.flatMap(({ pv }) => pv);
  return new Map(
    volumes
      .filter(({ vg_uuid }) => vg_uuid !== "")
      .map(({ pv_name, vg_name, vg_uuid }) => [pv_name, { kind: "volume group", name: vg_name, uuid: vg_uuid }]),
  );
}
