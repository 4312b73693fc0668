import type { Firmware } from "../boot/family.ts";
import { systemGroup } from "../disk-request.ts";
import type { DiskGroup } from "../select-disks.ts";
import type { Step } from "../step.ts";
import { type ArrayLayout, assembleStep } from "./array.ts";
import { checkBootReadable } from "./boot-readable.ts";
import { chainOf, type Device } from "./device.ts";
import { type EncryptedVolume, encryptStep } from "./encryption.ts";
import { layOutEsps } from "./esp.ts";
import { expandPreset } from "./expand-preset.ts";
import { type Filesystem, formatStep, layOutFilesystem, mountStep } from "./filesystem.ts";
import type { FeatureArguments } from "./filesystem-features.ts";
import { deviceOf, layOutDevices, type NamedDevices, type ServerIdentity } from "./lay-out-devices.ts";
import { type DiskLayout, layOutDisk, partitionStep } from "./partition.ts";
import { storageInvalid } from "./storage-invalid.ts";
import type { FullLayout, Preset } from "./storage-schema.ts";
import { layOutSwap, type Swap, swapStep } from "./swap.ts";
import { checkSyncSpeed } from "./sync-speed.ts";
import { deactivateCommand, type VolumeGroup, volumeGroupStep } from "./volume-group.ts";

/** Everything that will lie on the server's disks. */
export interface Layout {
  /** The system disks: each has a BIOS boot partition, an ESP and a config drive. */
  disks: readonly DiskLayout[];
  dataDisks: readonly DiskLayout[];
  /** In the order in which they are made. */
  layers: readonly Layer[];
  arrays: readonly ArrayLayout[];
  encrypted: readonly EncryptedVolume[];
  volumeGroups: readonly VolumeGroup[];
  /** The mounted ones, `/` first, the first ESP among them. */
  filesystems: readonly Filesystem[];
  swaps: readonly Swap[];
  /** One ESP a system disk, or the one on `espArray`; the first is also in `filesystems`. */
  esps: readonly Filesystem[];
  /** The ESPs of all system disks as one, if the job wants that; also in `arrays`. */
  espArray: ArrayLayout | undefined;
  /** Bytes a second, of each member, that the first synchronization of an array may take. */
  syncSpeed: number | undefined;
  /** What the initramfs has to bring up: what / and /usr stand on, the top first. */
  rootChain: readonly Device[];
  /** What the boot loader has to read: what /boot stands on, the top first. */
  bootChain: readonly Device[];
}

type Layer =
  | { kind: "array"; array: ArrayLayout }
  | { kind: "encrypted"; volume: EncryptedVolume }
  | { kind: "volume"; group: VolumeGroup };

export interface LayOutOptions extends ServerIdentity {
  /** Boot loaders that will have to read /boot. */
  firmware: readonly Firmware[];
  configDriveBytes: number;
}

/** A preset is a full layout that need not be written out. */
export function fullLayout(storage: Preset | FullLayout): FullLayout {
  return "preset" in storage ? expandPreset(storage) : storage;
}

/**
 * Lays everything out and touches nothing.
 * @param groups the job's disks; the one named `system` comes first
 * @throws Failure `storage-invalid` (configuration)
 */
export function layOut(wanted: FullLayout, groups: readonly DiskGroup[], options: LayOutOptions): Layout {
  const { instanceUuid, configDriveBytes } = options;
  const perGroup = groups.map((group) => layOutGroup(wanted, group, instanceUuid, configDriveBytes));
  checkGroups(wanted, groups);
  const all = perGroup.flat();
  const [disks = []] = perGroup;
  const devices = layOutDevices(wanted, all, options);
  const { esps, espArray } = layOutEsps(wanted.esp, disks, options);
  const { mounted, swaps } = layOutContents(wanted, devices, instanceUuid);
  checkMounts(mounted);
  const deviceAt = (mountPoint: string) => findDeviceAt(wanted, devices, mountPoint);
  const root = deviceAt("/");
  if (!root) throw storageInvalid("nothing is mounted on /");
  const bootChain = chainOf(deviceAt("/boot") ?? root);
  checkBootReadable(bootChain, options.firmware);
  const rootChain = [root, deviceAt("/usr")].flatMap((device) => (device ? chainOf(device) : []));
  checkUnlocking(rootChain);

  const layers = [...layersOf(devices), ...(espArray ? [{ kind: "array", array: espArray } as const] : [])];
  const arrays = layers.flatMap((layer) => (layer.kind === "array" ? layer.array : []));
  checkSyncSpeed(wanted.syncSpeed, arrays);
  const filesystems = [...mounted, ...esps.slice(0, 1)].sort((a, b) => (a.mountPoint < b.mountPoint ? -1 : 1));
  return {
    disks,
    dataDisks: perGroup.slice(1).flat(),
    layers,
    arrays,
    encrypted: layers.flatMap((layer) => (layer.kind === "encrypted" ? layer.volume : [])),
    volumeGroups: layers.flatMap((layer) => (layer.kind === "volume" ? layer.group : [])),
    filesystems,
    swaps,
    esps,
    espArray,
    syncSpeed: wanted.syncSpeed,
    rootChain,
    bootChain,
  };
}

function layOutGroup(
  wanted: FullLayout,
  { name, disks }: DiskGroup,
  instanceUuid: string,
  configDriveBytes: number,
): DiskLayout[] {
  const wishes = wanted.partitions
    .filter(({ group }) => group === name)
    .map((partition) => ({ ...partition, typeCode: typeCode(wanted, partition.name) }));
  return disks.map((disk) =>
    layOutDisk(disk, wishes, instanceUuid, name === systemGroup ? configDriveBytes : undefined),
  );
}

/** sgdisk's codes for the GPT types of what lies on a partition. */
function typeCode(wanted: FullLayout, name: string): string {
  const isOn = ({ on }: { on: string | readonly string[] }) => [on].flat().includes(name);
  if (wanted.raid.some(isOn)) return "fd00";
  if (wanted.luks.some(isOn)) return "8309";
  if (wanted.lvm.some(isOn)) return "8e00";
  return wanted.filesystems.find(isOn)?.type === "swap" ? "8200" : "8300";
}

function checkGroups(wanted: FullLayout, groups: readonly DiskGroup[]): void {
  const names = groups.map(({ name }) => name);
  const unknown = wanted.partitions.find(({ group }) => !names.includes(group));
  if (unknown) {
    throw storageInvalid(
      `the partition ${unknown.name} is for the disks ${unknown.group}, which the job does not have`,
    );
  }
  const idle = names.find((name) => name !== systemGroup && !wanted.partitions.some(({ group }) => group === name));
  if (idle !== undefined)
    throw storageInvalid(`nothing of the layout is on the disks ${idle}`, "take them out of disks");
}

function layOutContents({ filesystems }: FullLayout, devices: NamedDevices, instanceUuid: string) {
  const mounted: Filesystem[] = [];
  const swaps: Swap[] = [];
  for (const wish of filesystems) {
    const device = deviceOf(devices, wish.on);
    if (wish.type === "swap") swaps.push(layOutSwap(wish, device, instanceUuid));
    else mounted.push(...layOutFilesystem(wish, device, instanceUuid));
  }
  return { mounted, swaps };
}

/** What a package manager writes to needs links and owners, which FAT has not. */
const systemPlaces = /^\/($|boot|usr|var|opt|home|root)/;

function checkMounts(filesystems: readonly Filesystem[]): void {
  const points = filesystems.map(({ mountPoint }) => mountPoint);
  const twice = points.find((point, index) => points.indexOf(point) !== index);
  if (twice !== undefined) throw storageInvalid(`two file systems are mounted on ${twice}`);
  const fat = filesystems.find(({ type, mountPoint }) => type === "vfat" && systemPlaces.test(mountPoint));
  if (fat) throw storageInvalid(`${fat.mountPoint} can't be vfat, which has neither links nor owners`);
}

function findDeviceAt({ filesystems }: FullLayout, devices: NamedDevices, mountPoint: string): Device | undefined {
  const found = filesystems.find(
    ({ mount, subvolumes = [] }) =>
      mount === mountPoint || subvolumes.some((subvolume) => subvolume.mount === mountPoint),
  );
  return found && deviceOf(devices, found.on);
}

function checkUnlocking(rootChain: readonly Device[]): void {
  for (const device of rootChain) {
    if (device.kind === "encrypted" && device.volume.unlock === "key") {
      throw storageInvalid(
        `the key of ${device.volume.name} would lie inside of it, since / does`,
        "use a passphraseFile",
      );
    }
  }
}

/** Each once: a group has several volumes. */
function layersOf(devices: NamedDevices): Layer[] {
  const layers = [...devices.values()].flat().flatMap((device): Layer[] => {
    if (device.kind === "array") return [{ kind: "array", array: device.array }];
    if (device.kind === "encrypted") return [{ kind: "encrypted", volume: device.volume }];
    return device.kind === "volume" ? [{ kind: "volume", group: device.group }] : [];
  });
  return layers.filter(
    (layer, index) =>
      layer.kind !== "volume" ||
      layers.findIndex((other) => other.kind === "volume" && other.group === layer.group) === index,
  );
}

/** From clean disks to mounted file systems. */
export function storageSteps(layout: Layout, instanceUuid: string, target: string, features: FeatureArguments): Step[] {
  const { disks, dataDisks, layers, arrays, filesystems, swaps, esps } = layout;
  const own = filesystems.filter(({ mountPoint }) => mountPoint !== "/boot/efi");
  const formatted = Map.groupBy(own, ({ device }) => device);
  const syncing = arrays.filter(({ sync }) => sync === "create");
  return [
    ...[...disks, ...dataDisks].map((disk, index) => partitionStep(disk, instanceUuid, index)),
    ...layers.map(layerStep),
    ...(syncing.length > 0 ? [syncStep(syncing)] : []),
    ...[...formatted.values()].flatMap((all) => formatSteps(all, target, features)),
    ...swaps.map(swapStep),
    ...esps.map((esp) => formatStep(esp, [], target, features)),
    // The ESP waits until all that its loaders need is there.
    mountStep(own, target),
  ];
}

/** One step for the subvolumes of one device. */
function formatSteps(filesystems: readonly Filesystem[], target: string, features: FeatureArguments): Step[] {
  const subvolumes = filesystems.flatMap(({ subvolume }) => subvolume ?? []);
  return filesystems.slice(0, 1).map((filesystem) => formatStep(filesystem, subvolumes, target, features));
}

function layerStep(layer: Layer): Step {
  switch (layer.kind) {
    case "array":
      return assembleStep(layer.array);
    case "encrypted":
      return encryptStep(layer.volume);
    case "volume":
      return volumeGroupStep(layer.group);
  }
}

function syncStep(arrays: readonly ArrayLayout[]): Step {
  const names = arrays.map(({ name }) => name).join(", ");
  const paths = arrays.map(({ path }) => path);
  return { kind: "sync-arrays", name: "sync-arrays", title: `make the members of ${names} consistent`, arrays: paths };
}

/**
 * The way back, from the top down: nothing of the target stays mounted, open or assembled. What could not be written is
 * told on the way: of a file system by syncfs(2), of what its unmounting wrote by fsync(2) on its device, of boot code by
 * fsync(2) on the disk.
 */
export function releaseStep({ disks, layers, filesystems, esps }: Layout, target: string): Step {
  const places = filesystems.map(({ mountPoint }) => (mountPoint === "/" ? target : `${target}${mountPoint}`));
  const devices = new Set([...filesystems, ...esps].map(({ device }) => device));
  const words = layers.length > 0 ? "unmount the target and release what it stands on" : "unmount the target";
  return {
    kind: "commands",
    name: "release",
    title: words,
    commands: [
      ["sync", "--file-system", ...places],
      ["umount", "--recursive", target],
      ["sync", ...devices],
      ...layers.toReversed().map(releaseCommand),
      ["sync", ...disks.map(({ disk }) => disk.path)],
    ],
  };
}

function releaseCommand(layer: Layer) {
  switch (layer.kind) {
    case "array":
      return ["mdadm", "--stop", layer.array.path] as const;
    case "encrypted":
      return ["cryptsetup", "close", layer.volume.name] as const;
    case "volume":
      return deactivateCommand(layer.group);
  }
}
