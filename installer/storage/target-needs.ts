import type { ImageFacts } from "../../mirror/index.ts";
import { raidModule } from "./array.ts";
import type { Layout } from "./layout.ts";
import { storageInvalid } from "./storage-invalid.ts";

/** What the target must have installed for this layout, by the names of `manifest.preinstalled`. */
export function storagePackages({ arrays, volumeGroups, encrypted, rootChain, filesystems }: Layout): string[] {
  const types = new Set(filesystems.map(({ type }) => type));
  return [
    ...(arrays.length > 0 ? ["mdadm"] : []),
    ...(volumeGroups.length > 0 ? ["lvm2"] : []),
    ...(encrypted.length > 0 ? ["cryptsetup"] : []),
    ...(rootChain.some(({ kind }) => kind === "encrypted") ? ["cryptsetup-initramfs"] : []),
    ...(types.has("xfs") ? ["xfsprogs"] : []),
    ...(types.has("btrfs") ? ["btrfs-progs"] : []),
  ];
}

/**
 * Whether the image's initramfs brings up what / stands on. One that opens LUKS never does: crypttab is written into it.
 * ext4 is taken for granted: vendors' own disks have it, or the image's initramfs would be of no use anywhere.
 */
export function initramfsSuffices({ initramfs }: ImageFacts, { rootChain, filesystems }: Layout): boolean {
  const modules = new Set<string>();
  const programs = new Set<string>();
  for (const device of rootChain) {
    if (device.kind === "encrypted") return false;
    if (device.kind === "array") {
      modules.add(raidModule(device.array.level));
      programs.add("mdadm");
    }
    if (device.kind === "volume") programs.add("lvm");
  }
  for (const { mountPoint, type } of filesystems) {
    if (["/", "/usr"].includes(mountPoint) && type !== "ext4") modules.add(type);
  }
  return (
    [...modules].every((name) => initramfs.modules.includes(name)) &&
    [...programs].every((name) => initramfs.programs.includes(name))
  );
}

/** Where images have their files: other mount points get what comes later. */
const imagePlaces = ["/", "/boot", "/usr", "/var", "/opt"];

/** @throws Failure `storage-invalid` (configuration) */
export function checkRoom({ filesystems }: Layout, { name, minimumDiskBytes }: ImageFacts): void {
  const places = filesystems.filter(({ mountPoint }) => imagePlaces.includes(mountPoint));
  const byDevice = new Map(places.map(({ device, sizeBytes }) => [device, sizeBytes] as const));
  const roomBytes = [...byDevice.values()].reduce((sum, bytes) => sum + bytes, 0);
  if (roomBytes >= minimumDiskBytes) return;
  const mebibytes = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MiB`;
  throw storageInvalid(
    `${name} wants ${mebibytes(minimumDiskBytes)}, and ${places.map(({ mountPoint }) => mountPoint).join(", ")} come to ${mebibytes(roomBytes)}`,
    "give / more room, or take larger disks",
  );
}

/**
 * What programs of the target may see of the rescue system's devices: the disks that are theirs, and all that stands on
 * them. GRUB's tools and LVM find out by the device mapper's own node what a volume stands on.
 */
export function targetDevices({ disks, dataDisks, layers }: Layout): string[] {
  const partitions = [...disks, ...dataDisks].flatMap(({ disk, partitions }) => [
    disk.path,
    ...partitions.map(({ path }) => path),
  ]);
  const above = layers.flatMap((layer) => {
    if (layer.kind === "array") return [layer.array.path];
    return layer.kind === "encrypted"
      ? [`/dev/mapper/${layer.volume.name}`]
      : layer.group.volumes.map(({ path }) => path);
  });
  const control = layers.some(({ kind }) => kind !== "array") ? ["/dev/mapper/control"] : [];
  return [...partitions, ...above, ...control];
}
