import type { ByteSource } from "../source.ts";
import { sectorBytes } from "./header.ts";
import { invalid } from "./invalid.ts";

const pageSectors = 8 * 4096;

/**
 * Which sectors of a file are in use. No two tables or grains share any in a proper file; sharing would let a small
 * file be read as a disk of any size. Memory: one bit for each sector in use, in pages of 16 MiB of the file.
 */
export class SectorClaims {
  readonly #source: ByteSource;
  readonly #pages = new Map<number, Uint8Array>();

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** @throws Failure `vmdk-overlap` (integrity) */
  claim(offset: number, lengthBytes: number, what: string): void {
    const end = Math.ceil((offset + lengthBytes) / sectorBytes);
    for (let sector = Math.floor(offset / sectorBytes); sector < end; sector += 1) {
      const page = this.#page(Math.floor(sector / pageSectors));
      const index = (sector % pageSectors) >> 3;
      const bit = 1 << (sector & 7);
      const bits = page[index] ?? 0;
      if ((bits & bit) !== 0) {
        throw invalid(this.#source, "overlap", `${what} lies on sector ${sector}, which is in use already`);
      }
      page[index] = bits | bit;
    }
  }

  #page(number: number): Uint8Array {
    const page = this.#pages.get(number) ?? new Uint8Array(pageSectors / 8);
    this.#pages.set(number, page);
    return page;
  }
}
