import { invalidDatabase } from "./rpm-header.ts";

/**
 * rpm's own database (lib/backend/ndb/rpmpkg.c), which SUSE uses: a header of 32 bytes, then slots of 16 bytes that fill
 * pages of 4096, then blobs that begin at multiples of 16; little-endian. A slot: magic, package, block, blocks. A blob:
 * magic, package, check sum, length, and the rpm header.
 */
const databaseMagic = "RpmP";
const slotMagic = "Slot";
const blobMagic = "BlbS";
const headerBytes = 32;
const slotBytes = 16;
const blockBytes = 16;
const blobHeaderBytes = 16;
const pageBytes = 4096;

function isNdb(bytes: Buffer): boolean {
  return bytes.toString("latin1", 0, 4) === databaseMagic;
}

/**
 * @param bytes the whole of `Packages.db`
 * @returns the rpm headers
 * @throws Failure `package-database-invalid` (integrity)
 */
export function readNdb(bytes: Buffer): Buffer[] {
  if (!isNdb(bytes) || bytes.length < headerBytes) throw invalidDatabase("Packages.db does not begin as one");
  const version = bytes.readUInt32LE(4);
  if (version !== 0) throw invalidDatabase(`Packages.db has the version ${version}, not 0`);
  const slotsEnd = bytes.readUInt32LE(12) * pageBytes;
  if (slotsEnd > bytes.length) throw invalidDatabase("Packages.db is cut off");
  const blobs: Buffer[] = [];
  let totalBytes = 0;
  for (let at = headerBytes; at < slotsEnd; at += slotBytes) {
    if (bytes.toString("latin1", at, at + 4) !== slotMagic) throw invalidDatabase(`no slot at byte ${at}`);
    const packageIndex = bytes.readUInt32LE(at + 4);
    if (packageIndex === 0) continue;
    const blob = readBlob(bytes, bytes.readUInt32LE(at + 8) * blockBytes, packageIndex);
    totalBytes += blob.length;
    // Slots that share a blob would make work without end from a small file.
    if (totalBytes > bytes.length) throw invalidDatabase("packages of Packages.db overlap");
    blobs.push(blob);
  }
  return blobs;
}

function readBlob(bytes: Buffer, start: number, packageIndex: number): Buffer {
  const content = start + blobHeaderBytes;
  if (content > bytes.length || bytes.toString("latin1", start, start + 4) !== blobMagic)
    throw invalidDatabase(`no package at byte ${start}`);
  const length = bytes.readUInt32LE(start + 12);
  if (bytes.readUInt32LE(start + 4) !== packageIndex || content + length > bytes.length)
    throw invalidDatabase(`the package at byte ${start} is cut off, or another one`);
  return bytes.subarray(content, content + length);
}
