/** Bytes by which programs know a format, and where they look for them. */
interface Signature {
  format: string;
  /** From the beginning of the file; from its end where negative. */
  offset: number;
  bytes: Buffer;
}

const signature = (format: string, offset: number, bytes: string | readonly number[]): Signature => ({
  format,
  offset,
  bytes: typeof bytes === "string" ? Buffer.from(bytes, "latin1") : Buffer.from(bytes),
});

/**
 * Disk images and archives that some program would recognize by itself. Sources: QEMU's block drivers (their `probe`
 * functions) and the formats' own specifications; for the rest, magic(5) as file(1) has it.
 */
const containers: readonly Signature[] = [
  signature("qcow2", 0, "QFI\xfb"),
  signature("QED", 0, "QED\0"),
  signature("VMDK", 0, "KDMV"),
  signature("VMDK (ESX sparse)", 0, "COWD"),
  signature("VMDK (SE sparse)", 0, [0xbe, 0xba, 0xfe, 0xca, 0, 0, 0, 0]),
  signature("VMDK descriptor", 0, "# Disk DescriptorFile"),
  signature("VHDX", 0, "vhdxfile"),
  signature("VHD", 0, "conectix"),
  // A fixed VHD is a raw disk followed by this; old ones have a footer of 511 bytes.
  signature("VHD", -512, "conectix"),
  signature("VHD", -511, "conectix"),
  signature("VDI", 64, [0x7f, 0x10, 0xda, 0xbe]),
  signature("Parallels", 0, "WithoutFreeSpace"),
  signature("Parallels", 0, "WithouFreSpacExt"),
  signature("Bochs", 0, "Bochs Virtual HD Image"),
  signature("cloop", 0, "#!/bin/sh\n#V2.0 Format\n"),
  signature("DMG", -512, "koly"),
  signature("LUKS", 0, "LUKS\xba\xbe"),
  signature("ISO 9660", 32769, "CD001"),
  signature("squashfs", 0, "hsqs"),
  signature("tar", 257, "ustar"),
  signature("cpio", 0, "07070"),
  signature("cpio", 0, [0xc7, 0x71]),
  signature("xz", 0, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]),
  signature("gzip", 0, [0x1f, 0x8b]),
  signature("zstd", 0, [0x28, 0xb5, 0x2f, 0xfd]),
  ...Array.from({ length: 16 }, (_, low) => signature("zstd (skippable frame)", 0, [0x50 + low, 0x2a, 0x4d, 0x18])),
  signature("bzip2", 0, "BZh"),
  signature("lz4", 0, [0x04, 0x22, 0x4d, 0x18]),
  signature("zip", 0, "PK\x03\x04"),
];

/** Partition tables. In files of other formats these places hold no guest's data. */
const partitionTables: readonly Signature[] = [signature("MBR", 510, [0x55, 0xaa]), signature("GPT", 512, "EFI PART")];

/** What else makes a disk of bytes: a table for large sectors, or a file system without a table. */
const diskContents: readonly Signature[] = [
  signature("GPT (4096-byte sectors)", 4096, "EFI PART"),
  signature("ext4", 1024 + 56, [0x53, 0xef]),
  signature("XFS", 0, "XFSB"),
  signature("btrfs", 65536 + 64, "_BHRfS_M"),
];

/** As much of a file's beginning and end as signatures reach into. A short file has less. */
export interface Edges {
  head: Buffer;
  tail: Buffer;
}
export const headBytes = 2 ** 17;
export const tailBytes = 512;

function found({ head, tail }: Edges, candidates: readonly Signature[]): string[] {
  const formats = candidates.filter(({ offset, bytes }) => {
    const start = offset < 0 ? tail.length + offset : offset;
    return start >= 0 && (offset < 0 ? tail : head).subarray(start, start + bytes.length).equals(bytes);
  });
  return [...new Set(formats.map(({ format }) => format))];
}

/** A VMDK descriptor as QEMU finds it (block/vmdk.c, vmdk_probe): comments and empty lines, then a version. */
const descriptorText = /^(?:#[^\n]*\n| *\r?\n)*version=[123]\r?\n/;

export function findContainers(edges: Edges): string[] {
  const formats = found(edges, containers);
  return descriptorText.test(edges.head.toString("latin1", 0, 2048)) && !formats.includes("VMDK descriptor")
    ? [...formats, "VMDK descriptor"]
    : formats;
}

export const findPartitionTables = (edges: Edges) => found(edges, partitionTables);
export const findDiskContents = (edges: Edges) => found(edges, diskContents);
