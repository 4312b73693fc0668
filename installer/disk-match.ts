import { z } from "zod";
import { formatSize } from "../common/units.ts";
import { formatHint, holds, sizeHintSchema, textHintSchema } from "./disk-hint.ts";
import type { Disk } from "./hardware.ts";

/**
 * Hints as OpenStack Ironic has them ("root device hints"), named as the job names things; all that are given must hold.
 */
export const diskMatchSchema = z.strictObject({
  size: sizeHintSchema.optional(),
  model: textHintSchema.optional(),
  vendor: textHintSchema.optional(),
  serial: textHintSchema.optional(),
  /** A World Wide Name, with its vendor's extension or without. */
  wwn: textHintSchema.optional(),
  wwnWithExtension: textHintSchema.optional(),
  wwnVendorExtension: textHintSchema.optional(),
  /** The slot: a name in /dev/disk/by-path. */
  byPath: textHintSchema.optional(),
  /** SCSI address: host:channel:target:lun. */
  hctl: textHintSchema.optional(),
  /** sata, sas, nvme, usb, virtio, ... as lsblk(8) has it in TRAN. */
  transport: textHintSchema.optional(),
  /** Any of its names in /dev/disk/by-id and by-path; the kernel's name too, which changes between boots. */
  name: textHintSchema.optional(),
  rotational: z.boolean().optional(),
});

export type DiskMatch = z.infer<typeof diskMatchSchema>;

/** @returns which hint does not hold and what the disk says instead, or undefined where all hold */
export function findMismatch(match: DiskMatch, disk: Disk): string | undefined {
  const { size, rotational, ...texts } = match;
  if (size && !holds(size, [disk.sizeBytes])) {
    return `size ${describeSize(disk.sizeBytes)} is not ${formatHint(size, describeSize)}`;
  }
  if (rotational !== undefined && rotational !== disk.rotational) return `rotational is ${disk.rotational}`;
  const fields = Object.keys(texts) as (keyof typeof texts)[];
  for (const field of fields) {
    const hint = texts[field];
    const found = said[field](disk);
    if (hint && !holds(hint, found)) {
      return `${field} is ${found.map((value) => `"${value}"`).join(", ") || "unknown"}, not ${formatHint(hint, (value) => `"${value}"`)}`;
    }
  }
  return undefined;
}

const pathDirectory = "/dev/disk/by-path/";

/** What a disk says of itself, by hint. */
const said: Record<Exclude<keyof DiskMatch, "size" | "rotational">, (disk: Disk) => string[]> = {
  model: ({ model }) => filled(model),
  vendor: ({ vendor }) => filled(vendor),
  serial: ({ serial }) => filled(serial),
  wwn: ({ wwn }) => (splitWwn(wwn).extension === "" ? filled(wwn) : [wwn, splitWwn(wwn).own]),
  wwnWithExtension: ({ wwn }) => filled(wwn),
  wwnVendorExtension: ({ wwn }) => filled(splitWwn(wwn).extension),
  byPath: ({ links }) =>
    links.filter((link) => link.startsWith(pathDirectory)).flatMap((link) => [link, link.slice(pathDirectory.length)]),
  hctl: ({ hctl }) => filled(hctl),
  transport: ({ transport }) => filled(transport),
  name: ({ name, links }) => [name, ...links],
};

function filled(value: string): string[] {
  return value === "" ? [] : [value];
}

/**
 * lsblk gives udev's ID_WWN_WITH_EXTENSION. A name of 128 bits is one of 64, ID_WWN, followed by the vendor's 64,
 * ID_WWN_VENDOR_EXTENSION (SPC-4, NAA IEEE Registered Extended).
 */
function splitWwn(wwn: string): { own: string; extension: string } {
  const [, own = "", extension = ""] = /^(0x[\da-f]{16})([\da-f]{16})$/i.exec(wwn) ?? [];
  return { own, extension: extension && `0x${extension}` };
}

/** Two sizes may look the same in GiB. */
function describeSize(bytes: number): string {
  return `${formatSize(bytes)} (${bytes} bytes)`;
}
