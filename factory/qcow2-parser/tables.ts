import { Qcow2Error } from "./error.ts";
import type { Qcow2Header } from "./header.ts";
import { assertInside, fill, type Qcow2Source } from "./source.ts";

// "Cluster mapping", "L1 table entry".
const offsetMask = 0x00ff_ffff_ffff_fe00n;
const reservedMask = 0x7f00_0000_0000_01ffn;

const cachedBytes = 16 * 2 ** 20;

/** The mapping tables of the active disk. Holds the L1 table and the L2 tables used last, at most 48 MiB together. */
export class MappingTables {
  readonly #source: Qcow2Source;
  readonly #clusterBytes: number;
  /** Host offset of each L2 table in the order of the disk; 0 where there is none. */
  readonly l2Offsets: Float64Array;
  readonly #cache = new Map<number, Promise<DataView>>();

  private constructor(source: Qcow2Source, clusterBytes: number, l2Offsets: Float64Array) {
    this.#source = source;
    this.#clusterBytes = clusterBytes;
    this.l2Offsets = l2Offsets;
  }

  /** @throws Qcow2Error `outside-file`, `misaligned`, `entry-invalid`, `read-failed` */
  static async load(source: Qcow2Source, header: Qcow2Header): Promise<MappingTables> {
    const bytes = Buffer.alloc(header.l1Entries * 8);
    await fill(source, bytes, header.l1Offset, "the L1 table");
    const l2Offsets = Float64Array.from({ length: header.l1Entries }, (_, index) => {
      const offset = readL1Entry(bytes.readBigUInt64BE(index * 8), index, header.clusterBytes);
      if (offset !== 0) assertInside(source, offset, header.clusterBytes, `L2 table ${index}`);
      return offset;
    });
    refuseSharing(l2Offsets);
    return new MappingTables(source, header.clusterBytes, l2Offsets);
  }

  /** @returns undefined where the L1 entry has no table: all its clusters are unallocated */
  async l2Table(index: number): Promise<DataView | undefined> {
    const offset = this.l2Offsets[index];
    if (offset === undefined || offset === 0) return undefined;
    const table = this.#cache.get(index) ?? this.#readTable(index, offset);
    this.#cache.delete(index);
    this.#cache.set(index, table);
    for (const oldest of this.#cache.keys()) {
      if (this.#cache.size * this.#clusterBytes <= cachedBytes) break;
      this.#cache.delete(oldest);
    }
    return table;
  }

  async #readTable(index: number, offset: number): Promise<DataView> {
    const bytes = new Uint8Array(this.#clusterBytes);
    await fill(this.#source, bytes, offset, `L2 table ${index}`);
    return new DataView(bytes.buffer);
  }
}

function readL1Entry(entry: bigint, index: number, clusterBytes: number): number {
  if ((entry & reservedMask) !== 0n) {
    throw new Qcow2Error("entry-invalid", `L1 entry ${index} has reserved bits set: 0x${entry.toString(16)}`);
  }
  const offset = Number(entry & offsetMask);
  if (offset % clusterBytes !== 0) {
    throw new Qcow2Error("misaligned", `L2 table ${index} is said to begin at byte ${offset}`, { data: { offset } });
  }
  return offset;
}

/**
 * With each table used once, walking an image takes time in proportion to its file, not to the disk it pretends to be.
 */
function refuseSharing(l2Offsets: Float64Array): void {
  const sorted = l2Offsets.toSorted();
  const shared = sorted.find((offset, index) => offset !== 0 && offset === sorted[index + 1]);
  if (shared !== undefined) {
    throw new Qcow2Error("entry-invalid", `two L1 entries share the L2 table at byte ${shared}`);
  }
}
