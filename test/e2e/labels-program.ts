/**
 * `labels.mjs zfs|bcache DISK...` writes what their own tools would, for the rescue system has none. ZFS On-Disk
 * Specification, 1.2 and 1.3: four labels of 256 KiB, each with uberblocks of 1 KiB in its second half, whose magic is
 * 0x00bab10c. bcache: include/uapi/linux/bcache.h, struct cache_sb, of a backing device without a cache.
 */
export const labelsProgram = `
  import { openSync, writeSync, fsyncSync, closeSync, readFileSync } from "node:fs";
  const [kind, ...disks] = process.argv.slice(2);
  const kibibyte = 1024;
  for (const disk of disks) {
    const size = 512 * Number(readFileSync("/sys/class/block/" + disk.slice(5) + "/size", "utf8"));
    const handle = openSync(disk, "r+");
    if (kind === "zfs") {
      const uberblock = Buffer.alloc(kibibyte);
      uberblock.writeBigUInt64LE(0x00bab10cn, 0);
      uberblock.writeBigUInt64LE(5000n, 8);
      for (const label of [0, 256 * kibibyte, size - 512 * kibibyte, size - 256 * kibibyte])
        for (let index = 0; index < 128; index += 1) writeSync(handle, uberblock, 0, kibibyte, label + (128 + index) * kibibyte);
    } else {
      const superblock = Buffer.alloc(4096);
      superblock.writeBigUInt64LE(8n, 8);
      superblock.writeBigUInt64LE(1n, 16);
      superblock.write("c68573f64e1a45ca8265f57f48ba6d81", 24, "hex");
      superblock.write("11111111222243338444555555555555", 40, "hex");
      superblock.writeBigUInt64LE(16n, 184);
      superblock.writeUInt16LE(1, 192);
      superblock.writeBigUInt64LE(checksum(superblock.subarray(8, 208)), 0);
      writeSync(handle, superblock, 0, 4096, 4096);
    }
    fsyncSync(handle);
    closeSync(handle);
  }
  /** CRC-64 of ECMA-182, inverted before and after. */
  function checksum(bytes) {
    const mask = 0xffffffffffffffffn;
    let crc = mask;
    for (const byte of bytes) {
      crc ^= BigInt(byte) << 56n;
      for (let bit = 0; bit < 8; bit += 1) crc = ((crc << 1n) ^ (crc >> 63n ? 0x42f0e1eba9ea3693n : 0n)) & mask;
    }
    return crc ^ mask;
  }
`;
