import type { Qcow2Header } from "./header.ts";

/** Where an image keeps its tables: enough to read it from another thread, with no state in common. */
export interface Qcow2Layout {
  /** Of the open file. Undefined where the source is not one. */
  fileDescriptor: number | undefined;
  fileSizeBytes: number;
  header: Qcow2Header;
  /** Host offset of each L2 table in the order of the disk; 0 where there is none. */
  l2Offsets: Float64Array;
}

/** Guest bytes from `start` to `end`, all of them mapped by one L2 table; it begins at byte `hostOffset` of the file. */
export interface TableRange {
  hostOffset: number;
  /** The first guest byte that the table maps. */
  tablePosition: number;
  start: number;
  end: number;
}

/** The guest bytes that are handed to a thread at once, or one cluster's if that is more. */
const shareBytes = 8 * 2 ** 20;

/**
 * The parts of the disk that have L2 tables, in order, in shares of about 8 MiB for one thread each. What lies between
 * them is unallocated, and costs one look at the L1 table.
 */
export function* cutIntoShares({ header, l2Offsets }: Qcow2Layout): Generator<TableRange[], void, undefined> {
  const reach = header.clusterBytes * header.l2Entries;
  const length = Math.max(shareBytes, header.clusterBytes);
  let share: TableRange[] = [];
  let shareLength = 0;
  for (const [index, hostOffset] of l2Offsets.entries()) {
    if (hostOffset === 0) continue;
    const tablePosition = index * reach;
    const tableEnd = Math.min(tablePosition + reach, header.virtualSizeBytes);
    for (let start = tablePosition; start < tableEnd; start += length) {
      const end = Math.min(start + length, tableEnd);
      share.push({ hostOffset, tablePosition, start, end });
      shareLength += end - start;
      if (shareLength < length) continue;
      yield share;
      share = [];
      shareLength = 0;
    }
  }
  if (share.length > 0) yield share;
}
