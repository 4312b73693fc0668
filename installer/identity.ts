import { createHash } from "node:crypto";

/**
 * A name-based UUID (RFC 9562, version 5) below the instance's own. All identifiers of a server (file systems, arrays,
 * partitions) are derived, so the same job on the same hardware gives the same plan, and a rerun the same server.
 */
export function deriveUuid(instanceUuid: string, name: string): string {
  const bytes = createHash("sha1")
    .update(Buffer.from(instanceUuid.replaceAll("-", ""), "hex"))
    .update(name)
    .digest()
    .subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** FAT has no UUID but a volume number of 32 bits, written `1A2B3C4D` by mkfs.vfat -i and `1A2B-3C4D` by blkid. */
export function deriveVolumeNumber(instanceUuid: string, name: string): string {
  return deriveUuid(instanceUuid, name).slice(0, 8).toUpperCase();
}
