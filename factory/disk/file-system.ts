export interface FileSystem {
  /** "ambiguous": marks of several, so that programs could differ about it. */
  kind:
    | "ext2"
    | "ext3"
    | "ext4"
    | "xfs"
    | "btrfs"
    | "vfat"
    | "lvm2"
    | "swap"
    | "luks"
    | "iso9660"
    | "md"
    | "ambiguous"
    | "unknown";
  /** As udev writes it; empty where there is none. */
  uuid: string;
  label: string;
  /** What the file system itself says that it takes, where it says so. */
  claimedBytes?: number;
  /** "dirty": changes wait in its journal, which a read-only reader does not see. xfs does not tell cheaply. */
  journal?: "clean" | "dirty";
  /** Why it cannot be read although its kind is known. */
  unreadable?: string;
}

/** A file system of this kind. */
export function described(kind: FileSystem["kind"], fields: Partial<FileSystem> = {}): FileSystem {
  return { kind, uuid: "", label: "", ...fields };
}

/** Text of a fixed width, which ends at its first zero byte. */
export function fixedText(bytes: Buffer, offset: number, lengthBytes: number): string {
  return bytes.toString("utf8", offset, offset + lengthBytes).split("\0", 1)[0] ?? "";
}

/** A UUID as text in the order of its bytes. */
export function formatUuid(bytes: Buffer, offset: number): string {
  const hex = bytes.toString("hex", offset, offset + 16);
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
