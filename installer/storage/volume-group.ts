import type { Command, Step } from "../step.ts";
import type { Device } from "./device.ts";
import { divide } from "./size.ts";
import { storageInvalid } from "./storage-invalid.ts";
import type { FullLayout } from "./storage-schema.ts";

/** An LVM volume group. */
export interface VolumeGroup {
  name: string;
  members: readonly { path: string; alignmentBytes: number }[];
  /** In the order in which they are made: the striped ones, which are particular, first; the rest last. */
  volumes: readonly LogicalVolume[];
}

interface LogicalVolume {
  name: string;
  /** /dev/GROUP/NAME */
  path: string;
  /** Whole extents. */
  sizeBytes: number;
  stripes: number;
  /** Takes what is left in the end, which may be somewhat more than `sizeBytes`. */
  takesRest: boolean;
}

type GroupWish = FullLayout["lvm"][number];

const mebibyte = 2 ** 20;
const extentBytes = 4 * mebibyte;

/**
 * @returns the group's volumes as devices, in the order in which they are made
 * @throws Failure `storage-invalid` (configuration)
 */
export function layOutVolumeGroup(wish: GroupWish, below: readonly Device[]): (Device & { kind: "volume" })[] {
  const { name } = wish;
  checkVolumes(wish, below.length);
  const members = below.map(({ path, stripeBytes }) => ({ path, alignmentBytes: alignment(stripeBytes) }));
  const freeBytes = below.map(({ sizeBytes, stripeBytes }) => wholeExtents(sizeBytes - alignment(stripeBytes)));
  const totalBytes = freeBytes.reduce((sum, bytes) => sum + bytes, 0);
  const sizes = divide(wish.volumes, totalBytes, extentBytes, `in the volume group ${name}`);
  const volumes = wish.volumes
    .map((volume, index): LogicalVolume => {
      const unit = volume.stripes * extentBytes;
      return {
        name: volume.name,
        path: `/dev/${name}/${volume.name}`,
        // lvcreate(8) rounds a striped volume up to whole stripes, which might not fit.
        sizeBytes: Math.floor((sizes[index] ?? 0) / unit) * unit,
        stripes: volume.stripes,
        takesRest: volume.size === "rest" && volume.stripes === 1,
      };
    })
    .sort((a, b) => Number(a.takesRest) - Number(b.takesRest) || b.stripes - a.stripes);
  for (const { stripes, sizeBytes, name: volume } of volumes) {
    if (sizeBytes === 0) throw storageInvalid(`${name}/${volume} is smaller than one stripe of ${stripes} extents`);
    if (stripes > 1) takeStriped(freeBytes, stripes, sizeBytes, `${name}/${volume}`);
  }
  const group: VolumeGroup = { name, members, volumes };
  return volumes.map(({ path, sizeBytes }) => ({
    kind: "volume",
    group,
    path,
    sizeBytes,
    logicalSectorBytes: Math.max(...below.map(({ logicalSectorBytes }) => logicalSectorBytes)),
    stripeBytes: 0,
    disks: below.flatMap(({ disks }) => disks),
    below,
  }));
}

/** Data begins at a full stripe of the array below, at 1 MiB or more: where pvcreate(8) puts it when told so. */
function alignment(stripeBytes: number): number {
  return stripeBytes === 0 ? mebibyte : stripeBytes * Math.ceil(mebibyte / stripeBytes);
}

function wholeExtents(bytes: number): number {
  return Math.max(0, Math.floor(bytes / extentBytes) * extentBytes);
}

function checkVolumes({ name, volumes }: GroupWish, members: number): void {
  const names = volumes.map((volume) => volume.name);
  const twice = names.find((volume, index) => names.indexOf(volume) !== index);
  if (twice !== undefined) throw storageInvalid(`the name ${name}/${twice} is given twice`);
  const wide = volumes.find(({ stripes }) => stripes > members);
  if (wide)
    throw storageInvalid(`${name}/${wide.name} wants ${wide.stripes} stripes, and ${name} has ${members} members`);
}

/** Every stripe lies on another member; the emptiest are taken, as lvcreate does. */
function takeStriped(freeBytes: number[], stripes: number, sizeBytes: number, name: string): void {
  const order = freeBytes.map((_, index) => index).sort((a, b) => (freeBytes[b] ?? 0) - (freeBytes[a] ?? 0));
  for (const index of order.slice(0, stripes)) {
    const left = (freeBytes[index] ?? 0) - sizeBytes / stripes;
    if (left < 0) throw storageInvalid(`${name} does not fit: its ${stripes} stripes need that many members with room`);
    freeBytes[index] = left;
  }
}

/** LVM is shown the group's own members alone: another disk may hold a group of the same name. */
export function volumeGroupStep({ name, members, volumes }: VolumeGroup): Step {
  const paths = members.map(({ path }) => path);
  const own = devicesOption(paths);
  const volumeCommands = volumes.map((volume): Command => {
    const size = volume.takesRest ? "100%FREE" : String(volume.sizeBytes / extentBytes);
    const stripes = volume.stripes > 1 ? [`--stripes=${volume.stripes}`, "--stripesize=64k"] : [];
    const clean = ["--wipesignatures=y", "--zero=y"];
    return [
      "lvcreate",
      "--yes",
      "--quiet",
      own,
      ...clean,
      `--extents=${size}`,
      ...stripes,
      `--name=${volume.name}`,
      name,
    ];
  });
  return {
    kind: "commands",
    name: `volumes-${name}`,
    title: `make the volume group ${name}: ${volumes.map((volume) => volume.name).join(", ")}`,
    commands: [
      ...members.map(
        ({ path, alignmentBytes }): Command => [
          "pvcreate",
          "--yes",
          "--quiet",
          own,
          `--dataalignment=${alignmentBytes / 1024}k`,
          path,
        ],
      ),
      ["vgcreate", "--yes", "--quiet", own, `--physicalextentsize=${extentBytes / mebibyte}m`, name, ...paths],
      ...volumeCommands,
      ["udevadm", "wait", "--settle", "--timeout=60", ...volumes.map(({ path }) => path)],
    ],
  };
}

export function deactivateCommand({ name, members }: Pick<VolumeGroup, "name" | "members">): Command {
  return ["vgchange", "--quiet", devicesOption(members.map(({ path }) => path)), "--activate=n", name];
}

function devicesOption(paths: readonly string[]): string {
  return `--devices=${paths.join(",")}`;
}
