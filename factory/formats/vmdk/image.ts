import { type ByteSource, readExactly } from "../source.ts";
import { readDescriptor, type Subformat } from "./descriptor.ts";
import { markerBytes, maximumPackedBytes, readPackedGrain, unpackGrain } from "./grain.ts";
import { GrainTables } from "./grain-tables.ts";
import { readHeader, sectorBytes, type VmdkHeader } from "./header.ts";
import { SectorClaims } from "./sector-claims.ts";

export interface VmdkInfo {
  version: number;
  subformat: Subformat;
  virtualSizeBytes: number;
  grainBytes: number;
  unclean: boolean;
}

interface Located {
  grain: number;
  offset: number;
}

/** Grains that lie this near to each other are read at once. */
const maximumSpanBytes = 2 ** 22;

/** A VMDK that holds a whole disk. Only what the source gives is ever read. */
export class VmdkImage {
  readonly info: Readonly<VmdkInfo>;
  readonly #source: ByteSource;
  readonly #header: VmdkHeader;
  readonly #tables: GrainTables;

  private constructor(source: ByteSource, header: VmdkHeader, subformat: Subformat, tables: GrainTables) {
    const { version, virtualSizeBytes, grainBytes, unclean } = header;
    this.info = { version, subformat, virtualSizeBytes, grainBytes, unclean };
    this.#source = source;
    this.#header = header;
    this.#tables = tables;
  }

  /**
   * Checks header, footer, descriptor and grain directory. The caller closes the source.
   * @param maximumBytes the largest virtual disk; default: 16 TiB
   * @throws Failure `vmdk-` and a VmdkProblem, `image-truncated` (integrity)
   */
  static async open(source: ByteSource, maximumBytes?: number): Promise<VmdkImage> {
    const header = await readHeader(source, maximumBytes);
    const subformat = await readDescriptor(source, header);
    return new VmdkImage(source, header, subformat, await GrainTables.load(source, header));
  }

  /** What a conversion starts with: the sectors of all tables, so that no grain can lie on them. */
  claimTables(): SectorClaims {
    const claims = new SectorClaims(this.#source);
    claims.claim(0, sectorBytes, "the header");
    claims.claim(this.#header.descriptorOffset, this.#header.descriptorBytes, "the descriptor");
    this.#tables.claim(claims);
    return claims;
  }

  /** The parts of the disk that tables map, each as large as one table's reach. The rest is zeros. */
  *mappedRanges(): Generator<{ position: number; length: number }, void, undefined> {
    const { reachBytes } = this.#tables;
    for (let number = 0; number * reachBytes < this.info.virtualSizeBytes; number += 1) {
      const position = number * reachBytes;
      const length = Math.min(reachBytes, this.info.virtualSizeBytes - position);
      if (this.#tables.isMapped(number)) yield { position, length };
    }
  }

  /**
   * Reads a range of the disk. Memory: the range, and what of the file makes it.
   * @param range inside the disk, in bytes
   * @param claims marks the grains that are read, where each is read once
   * @returns undefined for a range that no grain is in: zeros
   * @throws Failure `vmdk-outside-file`, `vmdk-overlap`, `vmdk-grain-corrupt`, `image-truncated` (integrity)
   */
  async read(range: { position: number; length: number }, claims?: SectorClaims): Promise<Buffer | undefined> {
    const { grainBytes } = this.#header;
    const located: Located[] = [];
    const end = Math.ceil((range.position + range.length) / grainBytes);
    for (let grain = Math.floor(range.position / grainBytes); grain < end; grain += 1) {
      const offset = await this.#tables.locate(grain);
      if (offset !== undefined) located.push({ grain, offset });
    }
    if (located.length === 0) return undefined;
    const target = Buffer.alloc(range.length);
    const put = (grain: number, bytes: Buffer) => {
      const from = grain * grainBytes - range.position;
      bytes.copy(target, Math.max(0, from), Math.max(0, -from), range.length - from);
    };
    if (this.#header.compressed) await this.#readPacked(located, put, claims);
    else await this.#readPlain(located, put, claims);
    return target;
  }

  /** How much of a grain lies on the disk. */
  #lengthOf(grain: number): number {
    const { grainBytes, virtualSizeBytes } = this.#header;
    return Math.min(grainBytes, virtualSizeBytes - grain * grainBytes);
  }

  /** Neighbors on the disk are mostly neighbors in the file, and read at once. */
  async #readPlain(located: Located[], put: (grain: number, bytes: Buffer) => void, claims?: SectorClaims) {
    const { grainBytes } = this.#header;
    for (let index = 0; index < located.length; ) {
      const [first, ...rest] = located.slice(index);
      if (!first) break;
      const apart = rest.findIndex(
        ({ grain, offset }, more) =>
          grain !== first.grain + more + 1 || offset !== first.offset + (more + 1) * grainBytes,
      );
      const count = apart === -1 ? rest.length + 1 : apart + 1;
      const length = (count - 1) * grainBytes + this.#lengthOf(first.grain + count - 1);
      claims?.claim(first.offset, length, `grain ${first.grain}`);
      put(first.grain, await readExactly(this.#source, first.offset, length, `grain ${first.grain}`));
      index += count;
    }
  }

  async #readPacked(located: Located[], put: (grain: number, bytes: Buffer) => void, claims?: SectorClaims) {
    const { grainBytes } = this.#header;
    const near = await this.#readSpan(located.map(({ offset }) => offset));
    await Promise.all(
      located.map(async ({ grain, offset }) => {
        const packed = await readPackedGrain(this.#source, { grain, offset, grainBytes }, near);
        claims?.claim(offset, markerBytes + packed.data.length, `grain ${grain}`);
        put(grain, await unpackGrain(this.#source, packed, { expectedBytes: this.#lengthOf(grain), grainBytes }));
      }),
    );
  }

  /** Streams hold neighboring grains side by side: one read brings them all. Scattered ones are read one by one. */
  async #readSpan(offsets: number[]): Promise<{ start: number; bytes: Buffer }> {
    const start = Math.min(...offsets);
    const end = Math.max(...offsets) + maximumPackedBytes(this.#header.grainBytes);
    const length = Math.min(end, this.#source.sizeBytes) - start;
    if (length > maximumSpanBytes) return { start: 0, bytes: Buffer.alloc(0) };
    return { start, bytes: await readExactly(this.#source, start, length, "a run of grains") };
  }
}
