import { crc32 } from "node:zlib";
import type { BlockSource } from "./block-source.ts";
import { invalidTable, type Partition, sortApart } from "./partition.ts";

export const gptSignature = "EFI PART";
const headerBytes = 92;
const maximumTableBytes = 2 ** 20;
const unusedType = "00000000-0000-0000-0000-000000000000";

/**
 * Reads the primary GUID partition table (UEFI specification 2.10, 5.3).
 *
 * A damaged primary table is refused. Section 5.3.2 lets software fall back to the backup, but there it is a disk that
 * a person owns and wants back; an image whose two tables differ shows different things to different readers.
 * @param disk its first sector but one begins with the table's signature
 * @returns the partitions in the order of their place on the disk; none overlap, all lie inside the disk
 * @throws Failure `partition-table-invalid` (integrity)
 */
export async function readGpt(disk: BlockSource, sectorBytes: number): Promise<Partition[]> {
  const sectors = Math.floor(disk.sizeBytes / sectorBytes);
  const header = readHeader(await disk.read(sectorBytes, sectorBytes), sectors, sectorBytes);
  const table = await disk.read(header.tableSector * sectorBytes, header.entryCount * header.entryBytes);
  if (crc32(table) !== header.tableCrc) throw invalidTable("the entries' checksum is wrong");
  const partitions: Partition[] = [];
  for (let index = 0; index < header.entryCount; index += 1) {
    const entry = table.subarray(index * header.entryBytes, (index + 1) * header.entryBytes);
    const partition = readEntry(entry, index + 1, header, sectorBytes);
    if (partition) partitions.push(partition);
  }
  return sortApart(partitions);
}

type Header = ReturnType<typeof readHeader>;

function readHeader(sector: Buffer, sectors: number, sectorBytes: number) {
  const sizeBytes = sector.readUInt32LE(12);
  if (sizeBytes < headerBytes || sizeBytes > sectorBytes) throw invalidTable(`the header's size is ${sizeBytes}`);
  const zeroed = Buffer.from(sector.subarray(0, sizeBytes));
  zeroed.writeUInt32LE(0, 16);
  if (crc32(zeroed) !== sector.readUInt32LE(16)) throw invalidTable("the header's checksum is wrong");
  if (sector.readBigUInt64LE(24) !== 1n) throw invalidTable("the header does not lie where it says");
  const header = {
    firstUsable: readSector(sector, 40, sectors),
    lastUsable: readSector(sector, 48, sectors),
    tableSector: readSector(sector, 72, sectors),
    entryCount: sector.readUInt32LE(80),
    entryBytes: sector.readUInt32LE(84),
    tableCrc: sector.readUInt32LE(88),
  };
  const { tableSector, entryCount, entryBytes } = header;
  // 5.3.2: the size of an entry is 128 times a power of two.
  if (entryBytes < 128 || entryBytes > 4096 || !Number.isInteger(Math.log2(entryBytes / 128))) {
    throw invalidTable(`its entries are of ${entryBytes} bytes`);
  }
  const tableBytes = entryCount * entryBytes;
  if (
    tableBytes === 0 ||
    tableBytes > maximumTableBytes ||
    tableSector * sectorBytes + tableBytes > sectors * sectorBytes
  ) {
    throw invalidTable(`it has ${entryCount} entries`);
  }
  return header;
}

function readEntry(entry: Buffer, number: number, header: Header, sectorBytes: number): Partition | undefined {
  const type = readGuid(entry, 0);
  if (type === unusedType) return undefined;
  const first = readSector(entry, 32, header.lastUsable + 1);
  const last = readSector(entry, 40, header.lastUsable + 1);
  if (first < header.firstUsable || last < first)
    throw invalidTable(`partition ${number} does not lie inside the disk`);
  return {
    number,
    type,
    name: entry.toString("utf16le", 56, 128).split("\0", 1)[0] ?? "",
    uuid: readGuid(entry, 16).toLowerCase(),
    attributeBits: setBits(entry.readBigUInt64LE(48)),
    offsetBytes: first * sectorBytes,
    sizeBytes: (last - first + 1) * sectorBytes,
  };
}

function readSector(bytes: Buffer, offset: number, end: number): number {
  const sector = bytes.readBigUInt64LE(offset);
  if (sector >= BigInt(end)) throw invalidTable(`sector ${sector} lies outside the disk`);
  return Number(sector);
}

function setBits(bits: bigint): number[] {
  return Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => (bits >> BigInt(bit)) & 1n);
}

/** The first three fields of a GUID are little-endian (UEFI specification, appendix A). */
function readGuid(bytes: Buffer, offset: number): string {
  const hex = (start: number, end: number) => bytes.toString("hex", offset + start, offset + end);
  const reversed = (start: number, end: number) =>
    Buffer.from(bytes.subarray(offset + start, offset + end))
      .reverse()
      .toString("hex");
  return [reversed(0, 4), reversed(4, 6), reversed(6, 8), hex(8, 10), hex(10, 16)].join("-").toUpperCase();
}
