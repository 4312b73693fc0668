import type { Volume } from "./volume.ts";

/**
 * Finds the volume that a device's name in fstab means: UUID=, LABEL=, PARTUUID=, PARTLABEL=, the links that udev
 * makes below /dev/disk, /dev/GROUP/VOLUME and /dev/mapper, and the names of a first disk's partitions.
 * @returns undefined where none or more than one fit
 */
export function findDevice(volumes: readonly Volume[], device: string): Volume | undefined {
  const matches = volumes.filter((volume) => namesOf(volume).some((name) => isSame(name, device)));
  return matches.length === 1 ? matches[0] : undefined;
}

/** What the kernel may call the first disk: its partitions' names follow from their numbers. */
const firstDisks = ["/dev/sda", "/dev/vda", "/dev/xvda", "/dev/hda", "/dev/nvme0n1p", "/dev/mmcblk0p"];

function namesOf({ name, fileSystem, partition, logical }: Volume): string[] {
  const names: string[] = [];
  const add = (tag: string, directory: string, value: string) => {
    if (value === "") return;
    names.push(`${tag}=${value}`, `/dev/disk/${directory}/${encodeName(value)}`);
  };
  // A container's own UUID and label are not those of a file system.
  if (fileSystem.kind !== "lvm2" && fileSystem.kind !== "md") {
    add("UUID", "by-uuid", fileSystem.uuid);
    add("LABEL", "by-label", fileSystem.label);
  }
  if (partition) {
    add("PARTUUID", "by-partuuid", partition.uuid);
    add("PARTLABEL", "by-partlabel", partition.name);
    const number = partition.number === 0 ? "" : String(partition.number);
    names.push(...firstDisks.map((disk) => (number === "" ? disk.replace(/p$/, "") : `${disk}${number}`)));
  }
  if (logical) {
    // dmsetup(8), "mangled" names: a dash of a name is doubled, one joins group and volume.
    const mapped = name.split("/").map((part) => part.replaceAll("-", "--"));
    names.push(`/dev/${name}`, `/dev/mapper/${mapped.join("-")}`);
  }
  return names;
}

/** udev writes what is no plain character as \x20 (udev(7), "string_escape"). */
function encodeName(value: string): string {
  return value.replace(
    /[^\w#+.:=@\u0080-\u{10ffff}-]/gu,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

/** UUIDs are written in either case. */
function isSame(name: string, device: string): boolean {
  const isUuid = /^(PART)?UUID=|\/by-(part)?uuid\//.test(name);
  return isUuid ? name.toLowerCase() === device.toLowerCase() : name === device;
}
