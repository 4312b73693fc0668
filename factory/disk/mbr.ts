import { type BlockSource, readUpTo } from "./block-source.ts";
import { invalidTable, type Partition, sortApart } from "./partition.ts";

/** Sectors of 512 bytes: an MBR with others is not known of any vendor's image. */
const sectorBytes = 512;

/** Far more logical partitions than any disk has; what follows is a chain made to be long. */
const maximumLogical = 60;

/** Linux, block/partitions/msdos.c: DOS, Windows 98 (LBA) and Linux extended partitions. */
const extendedTypes = new Set([0x05, 0x0f, 0x85]);

interface Entry {
  number: number;
  type: number;
  firstSector: number;
  sectorCount: number;
}

export type MasterBootRecord = { diskId: string; protective: boolean; entries: Entry[] };

/**
 * Reads the first sector as a master boot record (UEFI specification 2.10, 5.2.1).
 * @returns undefined where it is none: no signature, a boot indicator that is neither 0 nor 0x80 (so the code of a
 *   file system's own boot sector is not taken for a table, as in the Linux kernel), or no partitions
 */
export async function readMasterBootRecord(disk: BlockSource): Promise<MasterBootRecord | undefined> {
  const sector = await readUpTo(disk, 0, sectorBytes);
  if (sector.length < sectorBytes) return undefined;
  const entries = readEntries(sector);
  if (!entries || entries.length === 0) return undefined;
  const diskId = sector.readUInt32LE(440).toString(16).padStart(8, "0");
  return { diskId, protective: entries.some(({ type }) => type === 0xee), entries };
}

/**
 * All partitions with something in them, logical ones included and counted from 5; extended ones are only where those lie.
 * @returns in the order of their place; none overlap, all lie inside the disk
 * @throws Failure `partition-table-invalid` (integrity)
 */
export async function readMbr(disk: BlockSource, record: MasterBootRecord): Promise<Partition[]> {
  const sectors = Math.floor(disk.sizeBytes / sectorBytes);
  const describe = (entry: Entry): Partition => ({
    number: entry.number,
    type: `0x${entry.type.toString(16).padStart(2, "0")}`,
    name: "",
    uuid: `${record.diskId}-${entry.number.toString(16).padStart(2, "0")}`,
    attributeBits: [],
    offsetBytes: entry.firstSector * sectorBytes,
    sizeBytes: entry.sectorCount * sectorBytes,
  });
  for (const entry of record.entries) assertInside(entry, 1, sectors);
  sortApart(record.entries.map(describe));
  const extended = record.entries.filter(({ type }) => extendedTypes.has(type));
  if (extended.length > 1) throw invalidTable("it has more than one extended partition");
  const logical = extended[0] ? await readLogical(disk, extended[0]) : [];
  const primary = record.entries.filter(({ type }) => !extendedTypes.has(type));
  return sortApart([...primary, ...logical].map(describe));
}

/** Each extended boot record holds one partition, counted from itself, and the next record, counted from the first. */
async function readLogical(disk: BlockSource, extended: Entry): Promise<Entry[]> {
  const start = extended.firstSector;
  const end = start + extended.sectorCount;
  const logical: Entry[] = [];
  let record = start;
  for (const seen = new Set<number>(); ; ) {
    if (seen.has(record)) throw invalidTable("its extended partitions lead in a circle");
    if (seen.size >= maximumLogical) throw invalidTable(`it has more than ${maximumLogical} logical partitions`);
    seen.add(record);
    const entries = readEntries(await disk.read(record * sectorBytes, sectorBytes));
    if (!entries) throw invalidTable(`sector ${record} is not an extended boot record`);
    const data = entries.find(({ type }) => !extendedTypes.has(type));
    if (data) {
      const entry = { ...data, number: 5 + logical.length, firstSector: record + data.firstSector };
      assertInside(entry, record + 1, end);
      logical.push(entry);
    }
    const next = entries.find(({ type }) => extendedTypes.has(type));
    if (!next) return logical;
    record = start + next.firstSector;
    if (record >= end) throw invalidTable(`sector ${record} lies outside the extended partition`);
  }
}

function readEntries(sector: Buffer): Entry[] | undefined {
  if (sector.readUInt16LE(510) !== 0xaa55) return undefined;
  const entries: Entry[] = [];
  for (let index = 0; index < 4; index += 1) {
    const entry = sector.subarray(446 + index * 16, 446 + (index + 1) * 16);
    if (entry.readUInt8(0) !== 0 && entry.readUInt8(0) !== 0x80) return undefined;
    const found = { type: entry.readUInt8(4), firstSector: entry.readUInt32LE(8), sectorCount: entry.readUInt32LE(12) };
    if (found.type !== 0 && found.sectorCount > 0) entries.push({ number: index + 1, ...found });
  }
  return entries;
}

function assertInside({ number, firstSector, sectorCount }: Entry, start: number, end: number): void {
  if (firstSector >= start && firstSector + sectorCount <= end) return;
  throw invalidTable(`partition ${number} does not lie inside the disk`);
}
