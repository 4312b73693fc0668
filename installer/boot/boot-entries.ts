/** One UEFI boot entry of the firmware's. */
export interface BootEntry {
  /** Four hexadecimal digits, as in `Boot000A`. */
  number: string;
  label: string;
  /** The firmware skips those that are not. */
  active: boolean;
  /** Device path as text, with what efibootmgr prints behind it; empty where it prints none. */
  path: string;
}

/** What the firmware holds. */
export interface BootEntries {
  order: string[];
  entries: BootEntry[];
}

/**
 * Reads `efibootmgr --verbose`: `BootOrder: 0001,0000`, then one line an entry, `Boot0001* label<TAB>device path`. Versions
 * up to 17 and 18 differ in what follows the path (its data as text or in hexadecimal, lines of bytes) and in whether a
 * file's name stands in `File()`; without `--verbose`, 17 prints no paths.
 */
export function parseBootEntries(listing: string): BootEntries {
  const order = /^BootOrder: ([0-9A-F]{4}(?:,[0-9A-F]{4})*)$/m.exec(listing)?.[1]?.split(",") ?? [];
  const entries = [...listing.matchAll(/^Boot([0-9A-F]{4})([* ]) ?([^\t\n]*)(?:\t([^\n]*))?$/gm)].map(
    ([, number = "", mark, label = "", path = ""]) => ({ number, label: label.trim(), active: mark === "*", path }),
  );
  return { order, entries };
}

/** The GPT partition that an entry starts from, by its UUID: UEFI 2.10, section 10.3.5.1, hard drive. */
export function partitionOfEntry({ path }: BootEntry): string | undefined {
  return /\bHD\(\d+,GPT,([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b/i.exec(path)?.[1]?.toLowerCase();
}

/**
 * By the device path: the network's own nodes (UEFI 2.10, section 10.3.4), but for disks that are reached by a network.
 * Firmware with paths of its own is known by the words of the label.
 */
export function isNetworkEntry({ label, path }: BootEntry): boolean {
  if (/\b(?:MAC|IPv4|IPv6|Uri)\(|\bBBS\(Network\b/i.test(path)) return !/\biSCSI\(/i.test(path);
  if (/\b(?:HD|CDROM|NVMe|Sata|FvFile|File)\(/.test(path)) return false;
  return /\b(?:PXE|IPv?4|IPv?6|network|netboot|LAN)|\bHTTPs?\b/i.test(label);
}
