import { layOutArray } from "./array.ts";
import type { Device } from "./device.ts";
import { layOutEncryption } from "./encryption.ts";
import type { DiskLayout } from "./partition.ts";
import { storageInvalid } from "./storage-invalid.ts";
import type { FullLayout } from "./storage-schema.ts";
import { layOutVolumeGroup } from "./volume-group.ts";

/** The devices that each name of the layout stands for, in the order in which they can be made. */
export type NamedDevices = ReadonlyMap<string, readonly Device[]>;

/** Something that is made of other devices. */
interface Layer {
  name: string;
  on: readonly string[];
  /** @param below the devices of `on` */
  layOut(below: readonly Device[]): readonly (readonly [name: string, device: Device])[];
}

/** Who the server is, for identifiers. */
export interface ServerIdentity {
  instanceUuid: string;
  hostname: string;
}

/**
 * Resolves the names of a layout from the disks up.
 * @param disks with their partitions, which carry the layout's names
 * @throws Failure `storage-invalid` (configuration) for names that are unknown, given twice, used twice or used in a
 *   circle, and for layers that cannot be
 */
export function layOutDevices(
  wanted: FullLayout,
  disks: readonly DiskLayout[],
  { instanceUuid, hostname }: ServerIdentity,
): NamedDevices {
  const layers: Layer[] = [
    ...wanted.raid.map((wish) => ({
      name: wish.name,
      on: [wish.on].flat(),
      layOut: (below: readonly Device[]) => [[wish.name, layOutArray(wish, below, instanceUuid, hostname)] as const],
    })),
    ...wanted.luks.map((wish) => ({
      name: wish.name,
      on: [wish.on],
      layOut: (below: readonly Device[]) =>
        [[wish.name, layOutEncryption(wish, onlyDevice(below, wish.on), instanceUuid)]] as const,
    })),
    ...wanted.lvm.map((wish) => ({
      name: wish.name,
      on: [wish.on].flat(),
      layOut: (below: readonly Device[]) =>
        layOutVolumeGroup(wish, below).map((device) => [device.path.slice("/dev/".length), device] as const),
    })),
  ];
  const names = [...wanted.partitions, ...layers].map(({ name }) => name);
  refuseRepeated(names, (name) => `the name ${name} is given twice`);
  refuseRepeated(
    [...layers, ...wanted.filesystems].flatMap(({ on }) => on),
    (name) => `${name} is used twice`,
  );

  const devices = new Map<string, readonly Device[]>(
    wanted.partitions.map(({ name }) => [name, partitionsNamed(name, disks)] as const),
  );
  const waiting = new Set(layers);
  while (waiting.size > 0) {
    const ready = [...waiting].find(({ on }) => on.every((name) => devices.has(name)));
    if (!ready) throw unresolvable([...waiting], devices, names);
    const below = ready.on.flatMap((name) => devices.get(name) ?? []);
    for (const [name, device] of ready.layOut(below)) devices.set(name, [device]);
    waiting.delete(ready);
  }
  return devices;
}

/** @throws Failure `storage-invalid` (configuration) where the name stands for none or several */
export function deviceOf(devices: NamedDevices, name: string): Device {
  const found = devices.get(name);
  if (found) return onlyDevice(found, name);
  throw storageInvalid(`there is no ${name}`, `what there is: ${[...devices.keys()].join(", ")}`);
}

function onlyDevice(devices: readonly Device[], name: string): Device {
  const [device] = devices;
  if (device && devices.length === 1) return device;
  throw storageInvalid(
    `${name} stands for partitions of ${devices.length} disks, and one device is wanted`,
    "put an array or a volume group on it",
  );
}

/** @returns the partition of that name on each of the disks that have one */
export function partitionsNamed(name: string, disks: readonly DiskLayout[]): Device[] {
  return disks.flatMap(({ disk, partitions }) =>
    partitions
      .filter((partition) => partition.name === name)
      .map((partition) => ({
        kind: "partition" as const,
        partition,
        path: partition.path,
        sizeBytes: partition.sizeBytes,
        logicalSectorBytes: disk.logicalSectorBytes,
        stripeBytes: 0,
        disks: [disk.path],
        below: [],
      })),
  );
}

function refuseRepeated(names: readonly string[], describe: (name: string) => string): void {
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) throw storageInvalid(describe(repeated));
}

function unresolvable(waiting: readonly Layer[], devices: NamedDevices, names: readonly string[]) {
  const known = new Set([...devices.keys(), ...names]);
  // A group's volumes are known once the group is: an unknown one shows when nothing else waits for that group.
  const made = new Set(waiting.map(({ name }) => name));
  for (const { name, on } of waiting) {
    const unknown = on.find((source) => !known.has(source) && !made.has(source.split("/")[0] ?? source));
    if (unknown !== undefined) {
      return storageInvalid(`${name} is on ${unknown}, which there is not`, `what there is: ${[...known].join(", ")}`);
    }
  }
  return storageInvalid(`${waiting.map(({ name }) => name).join(" and ")} stand on each other`);
}
