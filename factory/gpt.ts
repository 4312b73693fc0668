import { crc32 } from "node:zlib";
import { Failure } from "../common/failure.ts";

/** Reads exactly this many bytes at this offset. */
export type ReadAt = (offset: number, lengthBytes: number) => Promise<Buffer>;

export interface Partition {
  /** Counted from 1, as in /dev/sda1. */
  number: number;
  /** Partition type GUID, upper case. */
  type: string;
  name: string;
  offsetBytes: number;
  sizeBytes: number;
}

const sectorBytes = 512;
const headerBytes = 92;
const maximumTableBytes = 2 ** 20;

/**
 * Reads the primary GUID partition table of a disk with sectors of 512 bytes (UEFI specification 2.10, 5.3).
 * @param diskBytes the size of the disk, which bounds every offset
 * @returns the partitions in the order of their place on the disk; none overlap, all lie inside the disk
 * @throws Failure `partition-table-missing` (failed), `partition-table-invalid` (integrity)
 */
export async function readPartitionTable(read: ReadAt, diskBytes: number): Promise<Partition[]> {
  const sectors = Math.floor(diskBytes / sectorBytes);
  const sector = sectors >= 3 ? await read(sectorBytes, sectorBytes) : Buffer.alloc(sectorBytes);
  if (sector.toString("latin1", 0, 8) !== "EFI PART") {
    throw new Failure({
      code: "partition-table-missing",
      kind: "failed",
      message: "reading the partition table: the disk has no GUID partition table",
      hint: "only vendor images with a GPT and sectors of 512 bytes are known yet",
    });
  }
  const header = readHeader(sector, sectors);
  const table = await read(header.tableSector * sectorBytes, header.entryCount * header.entryBytes);
  if (crc32(table) !== header.tableCrc) throw invalid("the entries' checksum is wrong");
  const partitions: Partition[] = [];
  for (let index = 0; index < header.entryCount; index += 1) {
    const entry = table.subarray(index * header.entryBytes, (index + 1) * header.entryBytes);
    const partition = readEntry(entry, index + 1, header);
    if (partition) partitions.push(partition);
  }
  return assertApart(partitions.sort((a, b) => a.offsetBytes - b.offsetBytes));
}

type Header = ReturnType<typeof readHeader>;

function readHeader(sector: Buffer, sectors: number) {
  const sizeBytes = sector.readUInt32LE(12);
  if (sizeBytes < headerBytes || sizeBytes > sectorBytes) throw invalid(`the header's size is ${sizeBytes}`);
  const zeroed = Buffer.from(sector.subarray(0, sizeBytes));
  zeroed.writeUInt32LE(0, 16);
  if (crc32(zeroed) !== sector.readUInt32LE(16)) throw invalid("the header's checksum is wrong");
  if (sector.readBigUInt64LE(24) !== 1n) throw invalid("the header does not lie where it says");
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
    throw invalid(`its entries are of ${entryBytes} bytes`);
  }
  const tableBytes = entryCount * entryBytes;
  if (
    tableBytes === 0 ||
    tableBytes > maximumTableBytes ||
    tableSector * sectorBytes + tableBytes > sectors * sectorBytes
  ) {
    throw invalid(`it has ${entryCount} entries`);
  }
  return header;
}

function readEntry(entry: Buffer, number: number, header: Header): Partition | undefined {
  const type = readGuid(entry);
  if (type === "00000000-0000-0000-0000-000000000000") return undefined;
  const first = readSector(entry, 32, header.lastUsable + 1);
  const last = readSector(entry, 40, header.lastUsable + 1);
  if (first < header.firstUsable || last < first) throw invalid(`partition ${number} does not lie inside the disk`);
  const name = entry.toString("utf16le", 56, 128).split("\0", 1)[0] ?? "";
  return { number, type, name, offsetBytes: first * sectorBytes, sizeBytes: (last - first + 1) * sectorBytes };
}

function readSector(bytes: Buffer, offset: number, end: number): number {
  const sector = bytes.readBigUInt64LE(offset);
  if (sector >= BigInt(end)) throw invalid(`sector ${sector} lies outside the disk`);
  return Number(sector);
}

/** The first three fields of a GUID are little-endian (UEFI specification, appendix A). */
function readGuid(bytes: Buffer): string {
  const hex = (start: number, end: number) => bytes.toString("hex", start, end);
  const fields = [
    Buffer.from(bytes.subarray(0, 4)).reverse().toString("hex"),
    Buffer.from(bytes.subarray(4, 6)).reverse().toString("hex"),
    Buffer.from(bytes.subarray(6, 8)).reverse().toString("hex"),
    hex(8, 10),
    hex(10, 16),
  ];
  return fields.join("-").toUpperCase();
}

function assertApart(partitions: Partition[]): Partition[] {
  let end = 0;
  for (const { number, offsetBytes, sizeBytes } of partitions) {
    if (offsetBytes < end) throw invalid(`partition ${number} overlaps another`);
    end = offsetBytes + sizeBytes;
  }
  return partitions;
}

function invalid(reason: string): Failure {
  return new Failure({
    code: "partition-table-invalid",
    kind: "integrity",
    message: `reading the partition table: ${reason}`,
    hint: "the image is damaged or was made to mislead: get it again from its vendor",
  });
}
