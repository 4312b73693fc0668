import type { Disk } from "../hardware.ts";
import { labelPath } from "../label-disk.ts";
import type { StackedDevice } from "./parse-stack.ts";

/** A disk by its kernel name and by the stable path that commands use. */
export type NamedDisk = Pick<Disk, "name" | "path">;

/** For messages, by names that stay. */
export function listLabels(disks: readonly NamedDisk[]): string {
  return disks.map(({ path }) => labelPath(path)).join(", ");
}

/** Kernel names of the disks that a device lies on, in the end; a disk lies on itself. */
export function disksBelow(stack: readonly StackedDevice[], name: string): string[] {
  const devices = new Map(stack.map((device) => [device.name, device]));
  const seen = new Set<string>();
  const pending = [name];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    pending.push(...(devices.get(next)?.on ?? []));
  }
  return [...seen].filter((candidate) => devices.get(candidate)?.kind === "disk").sort();
}

/**
 * What lies on any of these disks, topmost first; the disks themselves last. A device comes before everything that it
 * lies on.
 */
export function devicesOn(stack: readonly StackedDevice[], disks: readonly string[]): StackedDevice[] {
  const heights = new Map<string, number>();
  const devices = new Map(stack.map((device) => [device.name, device]));
  const heightOf = (name: string): number => {
    const known = heights.get(name);
    if (known !== undefined) return known;
    // Ends the walk where a stack that changed while it was read shows a ring.
    heights.set(name, 0);
    const height = 1 + Math.max(-1, ...(devices.get(name)?.on ?? []).map(heightOf));
    heights.set(name, height);
    return height;
  };
  return stack
    .filter(({ name }) => disksBelow(stack, name).some((disk) => disks.includes(disk)))
    .map((device) => ({ device, height: heightOf(device.name) }))
    .sort((a, b) => b.height - a.height || (a.device.name < b.device.name ? -1 : 1))
    .map(({ device }) => device);
}

/** Whether all that a device lies on are these disks. */
export function liesWithin(stack: readonly StackedDevice[], name: string, disks: readonly string[]): boolean {
  const below = disksBelow(stack, name);
  return below.length > 0 && below.every((disk) => disks.includes(disk));
}

/**
 * How commands name a device: by the stable path of its disk where udev has one, and by the kernel's name else. Links
 * that are made of its content, such as lvm-pv-uuid-*, would go with that.
 */
export function stablePath({ name, on, number, links }: StackedDevice, disks: readonly NamedDisk[]): string {
  const disk = disks.find((candidate) => candidate.name === name);
  if (disk) return disk.path;
  const parent = disks.find((candidate) => on.includes(candidate.name));
  const link = `${parent?.path}-part${number}`;
  return links.includes(link) ? link : name;
}
