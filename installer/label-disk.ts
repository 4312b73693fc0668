import { formatSize } from "../common/units.ts";
import type { Disk } from "./hardware.ts";

type Labeled = Pick<Disk, "path" | "sizeBytes" | "model" | "serial">;

/**
 * A disk for people, by names that stay: `ata-SAMSUNG_MZ7LH960_S45NNE0M500123 (894 GiB)`. Model and serial number follow
 * where its name does not say them: `wwn-0x5000c500a1b2c3d4 (3.6 TiB, ST4000NM0035, serial ZC1ABCDE)`.
 */
export function labelDisk({ path, sizeBytes, model, serial }: Labeled): string {
  const name = labelPath(path);
  // udev writes blanks as underscores.
  const says = (text: string) => text === "" || name.includes(text.replaceAll(/\s+/g, "_"));
  const more = [...(says(model) ? [] : [model]), ...(says(serial) ? [] : [`serial ${serial}`])];
  return `${name} (${[formatSize(sizeBytes), ...more].join(", ")})`;
}

/** For titles: two disks by their labels, more by their number. */
export function labelDisks(disks: readonly Labeled[]): string {
  return disks.length > 2 ? `${disks.length} disks` : disks.map(labelDisk).join(" and ");
}

/** The stable name alone: `ata-SAMSUNG_MZ7LH960_S45NNE0M500123`, `by-path/pci-0000:00:1f.2-ata-1`. */
export function labelPath(path: string): string {
  return path.replace(/^\/dev\/disk\/(by-id\/)?/, "");
}
