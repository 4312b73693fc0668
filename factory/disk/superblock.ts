import { described, type FileSystem, fixedText, formatUuid } from "./file-system.ts";

/** Linux, Documentation/filesystems/ext4/super.rst. Offsets are within the superblock, 1,024 bytes into the volume. */
export function recognizeExt(head: Buffer): FileSystem | undefined {
  const block = head.subarray(1024, 2048);
  if (block.length < 1024 || block.readUInt16LE(0x38) !== 0xef53) return undefined;
  const compatible = block.readUInt32LE(0x5c);
  const incompatible = block.readUInt32LE(0x60);
  const readOnlyCompatible = block.readUInt32LE(0x64);
  const blockShift = block.readUInt32LE(0x18);
  const high = incompatible & 0x80 ? block.readUInt32LE(0x150) : 0;
  const blockCount = high * 2 ** 32 + block.readUInt32LE(0x4);
  // Features that ext2 and ext3 have; any other makes it ext4. 0x8 is a journal on a disk of its own.
  const isExt4 = (incompatible & ~0x16) !== 0 || (readOnlyCompatible & ~0x7) !== 0;
  const hasJournal = (compatible & 0x4) !== 0;
  return described(isExt4 ? "ext4" : hasJournal ? "ext3" : "ext2", {
    uuid: formatUuid(block, 0x68),
    label: fixedText(block, 0x78, 16),
    // Blocks of 1 to 64 KiB.
    ...(blockShift <= 6
      ? { claimedBytes: blockCount * 1024 * 2 ** blockShift }
      : { unreadable: "its block size is none" }),
    ...(incompatible & 0x8 && { unreadable: "it is another file system's journal" }),
    ...(hasJournal && { journal: incompatible & 0x4 ? "dirty" : "clean" }),
  });
}

/** XFS Algorithms & Data Structures, "Superblocks" (big-endian). */
export function recognizeXfs(head: Buffer): FileSystem | undefined {
  if (head.length < 512 || head.toString("latin1", 0, 4) !== "XFSB") return undefined;
  const claimedBytes = head.readUInt32BE(4) * Number(head.readBigUInt64BE(8));
  return described("xfs", { uuid: formatUuid(head, 32), label: fixedText(head, 108, 12), claimedBytes });
}

/** Btrfs documentation, "On-disk format", superblock: 64 KiB into the volume. */
export function recognizeBtrfs(head: Buffer): FileSystem | undefined {
  const block = head.subarray(65536, 65536 + 4096);
  if (block.length < 4096 || block.toString("latin1", 0x40, 0x48) !== "_BHRfS_M") return undefined;
  const deviceCount = block.readBigUInt64LE(0x88);
  return described("btrfs", {
    uuid: formatUuid(block, 0x20),
    label: fixedText(block, 0x12b, 256),
    claimedBytes: Number(block.readBigUInt64LE(0x70)),
    journal: block.readBigUInt64LE(0x60) === 0n ? "clean" : "dirty",
    ...(deviceCount !== 1n && { unreadable: `it lies on ${deviceCount} devices` }),
  });
}

/** Microsoft, FAT32 File System Specification 1.03: the boot sector, and which of FAT12, 16 and 32 it is by its clusters. */
export function recognizeVfat(head: Buffer): FileSystem | undefined {
  if (head.length < 512 || head.readUInt16LE(510) !== 0xaa55) return undefined;
  const sectorBytes = head.readUInt16LE(11);
  const clusterSectors = head.readUInt8(13);
  const reservedSectors = head.readUInt16LE(14);
  const isFat =
    [512, 1024, 2048, 4096].includes(sectorBytes) &&
    Number.isInteger(Math.log2(clusterSectors)) &&
    reservedSectors > 0 &&
    [1, 2].includes(head.readUInt8(16)) &&
    head.readUInt8(21) >= 0xf0;
  if (!isFat) return undefined;
  const isFat32 = head.readUInt16LE(22) === 0;
  // 0x29 says that serial number and label follow.
  const extended = head.subarray(isFat32 ? 66 : 38);
  const serial = extended.readUInt32LE(1).toString(16).toUpperCase().padStart(8, "0");
  const label = extended.toString("latin1", 5, 16).trimEnd();
  const sectors = head.readUInt16LE(19) || head.readUInt32LE(32);
  return described("vfat", {
    claimedBytes: sectors * sectorBytes,
    ...(extended.readUInt8(0) === 0x29 && {
      uuid: `${serial.slice(0, 4)}-${serial.slice(4)}`,
      label: label === "NO NAME" ? "" : label,
    }),
  });
}
