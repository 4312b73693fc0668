import { posix } from "node:path";
import { findDevice } from "./find-device.ts";
import type { FstabEntry } from "./fstab.ts";
import { partitionTypes } from "./partition-type.ts";
import type { Volume } from "./volume.ts";

/** A volume that belongs to the tree, below its root. */
export interface PlannedMount {
  /** Absolute, as the image names it; its links are not followed yet. */
  mountPoint: string;
  volume: Volume;
  /** btrfs: which subvolume. */
  selection?: string;
  /** By a line of fstab, or by the partition's type alone: then only where there is an empty directory for it. */
  from: "fstab" | "type";
}

/** What could have been part of the tree, and is not. */
export interface PassedOver {
  /** As fstab has it, or the volume's name. */
  device: string;
  mountPoint: string;
  from: PlannedMount["from"];
  reason: string;
}

/** Discoverable Partitions Specification: where partitions go that fstab does not name. The first directory there is counts. */
const placesByUse: Readonly<Record<string, readonly string[] | undefined>> = {
  efi: ["/boot/efi", "/efi"],
  boot: ["/boot"],
  usr: ["/usr"],
  home: ["/home"],
  srv: ["/srv"],
};
/** The same, "no-auto": not to be mounted by its type. */
const noAutoBit = 63;

/**
 * Decides what is mounted where, from fstab and the partitions' types. Touches nothing.
 * @returns the mounts, those that others lie below first
 */
export function planTree(
  entries: readonly FstabEntry[],
  volumes: readonly Volume[],
  root: Volume,
): { planned: PlannedMount[]; passedOver: PassedOver[] } {
  const planned: PlannedMount[] = [];
  const passedOver: PassedOver[] = [];
  for (const entry of entries) {
    const mountPoint = posix.normalize(entry.mountPoint);
    if (mountPoint === "/") continue;
    const volume = findDevice(volumes, entry.device);
    const selection = volume && findSelection(entry.options);
    const reason = volume ? reasonAgainst(entry, selection) : "no volume of this disk has that name, or more than one";
    if (volume && reason === undefined) {
      planned.push({ mountPoint, volume, from: "fstab", ...(selection === undefined ? {} : { selection }) });
    } else passedOver.push({ device: entry.device, mountPoint, from: "fstab", reason: reason ?? "" });
  }
  const placed = new Set([root, ...planned.map(({ volume }) => volume)]);
  planned.push(...volumes.filter((volume) => !placed.has(volume)).flatMap(planByType));
  return { planned: planned.toSorted((a, b) => depth(a) - depth(b)), passedOver };
}

function reasonAgainst({ options }: FstabEntry, selection: string | undefined): string | undefined {
  if (options.includes("noauto")) return "it is not mounted at boot";
  if (options.includes("bind") || options.includes("rbind")) return "it shows a part of the tree once more";
  if (selection === undefined) return undefined;
  // Mount splits its options at commas, and undoes quotes.
  if (/[",\\\n]/.test(selection)) return "its subvolume has an impossible name";
  // openSUSE keeps snapshots of the root beside it, and the root itself is the first of them.
  return selection.endsWith("/.snapshots") ? "it holds snapshots of the tree" : undefined;
}

/** btrfs(5), "Mount options". The last one counts. */
function findSelection(options: readonly string[]): string | undefined {
  return options.findLast((option) => /^(subvol=.+|subvolid=\d+)$/.test(option));
}

function planByType(volume: Volume): PlannedMount[] {
  const { partition } = volume;
  if (!partition || partition.attributeBits.includes(noAutoBit)) return [];
  const places = placesByUse[partitionTypes[partition.type] ?? ""] ?? [];
  return places.map((mountPoint) => ({ mountPoint, volume, from: "type" }));
}

function depth({ mountPoint }: PlannedMount): number {
  return mountPoint.split("/").length;
}
