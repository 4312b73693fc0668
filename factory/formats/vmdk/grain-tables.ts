import { type ByteSource, readExactly } from "../source.ts";
import { entriesPerTable, sectorBytes, type VmdkHeader } from "./header.ts";
import { invalid } from "./invalid.ts";
import type { SectorClaims } from "./sector-claims.ts";

const tableBytes = entriesPerTable * 4;
/** Tables in memory: each of them maps 32 MiB of disk where grains are of 64 KiB. */
const tablesKept = 16;

/**
 * The map from grains to their place in the file: a directory of tables ("Grain Directory", "Grain Table"). The
 * redundant copy is not read.
 */
export class GrainTables {
  readonly #source: ByteSource;
  readonly #header: VmdkHeader;
  readonly #directory: Buffer;
  readonly #kept = new Map<number, Buffer>();

  private constructor(source: ByteSource, header: VmdkHeader, directory: Buffer) {
    this.#source = source;
    this.#header = header;
    this.#directory = directory;
  }

  /**
   * Memory: 4 bytes for each 512 grains, at most 32 MiB for 16 TiB.
   * @throws Failure `image-truncated`, `vmdk-header-invalid` (integrity)
   */
  static async load(source: ByteSource, header: VmdkHeader): Promise<GrainTables> {
    if (header.directoryOffset === 0) throw invalid(source, "header-invalid", "it has no grain directory");
    const directoryBytes = 4 * Math.ceil(header.virtualSizeBytes / (header.grainBytes * entriesPerTable));
    const directory = await readExactly(source, header.directoryOffset, directoryBytes, "the grain directory");
    return new GrainTables(source, header, directory);
  }

  /** How much of the disk one table maps. */
  get reachBytes(): number {
    return this.#header.grainBytes * entriesPerTable;
  }

  /**
   * Where a grain lies in the file.
   * @returns its offset in bytes; undefined for a grain of zeros
   * @throws Failure `vmdk-outside-file` (integrity)
   */
  async locate(grain: number): Promise<number | undefined> {
    const table = await this.#table(Math.floor(grain / entriesPerTable));
    const sector = table?.readUInt32LE((grain % entriesPerTable) * 4) ?? 0;
    if (sector === 0 || (sector === 1 && this.#header.hasZeroGrains)) return undefined;
    const offset = sector * sectorBytes;
    if (offset < this.#source.sizeBytes) return offset;
    throw invalid(this.#source, "outside-file", `grain ${grain} is said to lie at byte ${offset}`);
  }

  /** Whether a table maps anything, by the directory alone. */
  isMapped(tableNumber: number): boolean {
    return this.#tableOffset(tableNumber) !== 0;
  }

  /** Claims the directory and all tables that it names. */
  claim(claims: SectorClaims): void {
    claims.claim(this.#header.directoryOffset, this.#directory.length, "the grain directory");
    for (let number = 0; number < this.#directory.length / 4; number += 1) {
      const offset = this.#tableOffset(number);
      if (offset === 0) continue;
      if (offset + tableBytes > this.#source.sizeBytes) {
        throw invalid(this.#source, "outside-file", `grain table ${number} is said to lie at byte ${offset}`);
      }
      claims.claim(offset, tableBytes, `grain table ${number}`);
    }
  }

  #tableOffset(number: number): number {
    return this.#directory.readUInt32LE(number * 4) * sectorBytes;
  }

  async #table(number: number): Promise<Buffer | undefined> {
    const offset = this.#tableOffset(number);
    if (offset === 0) return undefined;
    const kept = this.#kept.get(number);
    if (kept) return kept;
    const table = await readExactly(this.#source, offset, tableBytes, `grain table ${number}`);
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined && this.#kept.size >= tablesKept) this.#kept.delete(oldest);
    this.#kept.set(number, table);
    return table;
  }
}
