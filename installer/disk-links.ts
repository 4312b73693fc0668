import { readdir, realpath } from "node:fs/promises";

/** Bus names with model and serial before bare WWNs: both are stable, the former tell a person which disk it is. */
const preference = [
  /^\/dev\/disk\/by-id\/nvme-(?!eui)/,
  /^\/dev\/disk\/by-id\/ata-/,
  /^\/dev\/disk\/by-id\/scsi-S/,
  /^\/dev\/disk\/by-id\/scsi-/,
  /^\/dev\/disk\/by-id\/virtio-/,
  /^\/dev\/disk\/by-id\/usb-/,
  /^\/dev\/disk\/by-id\/wwn-/,
  /^\/dev\/disk\/by-id\/nvme-/,
  /^\/dev\/disk\/by-id\//,
  // By slot: for disks that have no serial number, such as many a virtual machine's.
  /^\/dev\/disk\/by-path\//,
];

/** The names in /dev/disk/by-id and by-path, by kernel name (/dev/sda), the best name to know a disk by first. */
export async function readDiskLinks(): Promise<Map<string, string[]>> {
  const links = new Map<string, string[]>();
  for (const directory of ["/dev/disk/by-id", "/dev/disk/by-path"]) {
    for (const name of await readdir(directory).catch(() => [])) {
      const link = `${directory}/${name}`;
      // udev may be just about to replace it.
      const device = await realpath(link).catch(() => undefined);
      if (device !== undefined) links.set(device, [...(links.get(device) ?? []), link]);
    }
  }
  for (const names of links.values()) names.sort(compareLinks);
  return links;
}

/** The better name first; among equals by name, so that one disk always gets the same. */
export function compareLinks(a: string, b: string): number {
  return rank(a) - rank(b) || (a < b ? -1 : 1);
}

function rank(link: string): number {
  const found = preference.findIndex((pattern) => pattern.test(link));
  return found < 0 ? preference.length : found;
}
