import { invalidDatabase } from "./rpm-header.ts";

/**
 * A Berkeley DB hash table (libdb, src/dbinc/db_page.h), in which Red Hat 7 and 8 keep rpm's headers: pages of equal
 * size. A hash page lists the offsets of its items behind its header, keys and values in turn; a value that does not fit
 * lies on a chain of overflow pages.
 */
const hashMagic = 0x061561;
const metadataBytes = 512;
const pageHeaderBytes = 26;
const pageTypes = { unsortedHash: 2, overflow: 7, hashMetadata: 8, hash: 13 };
const itemTypes = { onPage: 1, offPage: 3 };

/** The record under key 0 counts the packages; it is no header. */
const counterBytes = 4;

function isBerkeleyHash(bytes: Buffer): boolean {
  return bytes.length >= metadataBytes && bytes.readUInt32LE(12) === hashMagic;
}

/**
 * @param bytes the whole of `Packages`, as a little-endian machine writes it
 * @returns the rpm headers
 * @throws Failure `package-database-invalid` (integrity)
 */
export function readBerkeleyHash(bytes: Buffer): Buffer[] {
  if (!isBerkeleyHash(bytes) || bytes[25] !== pageTypes.hashMetadata)
    throw invalidDatabase("Packages is no Berkeley hash table of a little-endian machine");
  const pageBytes = bytes.readUInt32LE(20);
  if (pageBytes < metadataBytes || pageBytes > 65536 || (pageBytes & (pageBytes - 1)) !== 0)
    throw invalidDatabase(`Packages has pages of ${pageBytes} bytes`);
  const pages = new Pages(bytes, pageBytes);
  const values: Buffer[] = [];
  for (let number = 1; number < pages.count; number += 1) {
    const page = pages.read(number);
    const type = page[25];
    if (type !== pageTypes.hash && type !== pageTypes.unsortedHash) continue;
    for (const value of readHashPage(page, pages)) if (value.length > counterBytes) values.push(value);
  }
  return values;
}

/** An item reaches to the start of the one before it: they fill the page from its end. */
function readHashPage(page: Buffer, pages: Pages): Buffer[] {
  const entries = page.readUInt16LE(20);
  if (entries % 2 !== 0 || pageHeaderBytes + entries * 2 > page.length)
    throw invalidDatabase(`a page of Packages has ${entries} items`);
  const offsets = Array.from({ length: entries }, (_, index) => page.readUInt16LE(pageHeaderBytes + index * 2));
  return offsets.flatMap((start, index) => {
    if (index % 2 === 0) return [];
    const end = offsets[index - 1] ?? page.length;
    if (start >= end || end > page.length) throw invalidDatabase("items of a page of Packages overlap");
    const item = page.subarray(start, end);
    if (item[0] === itemTypes.onPage) return [item.subarray(1)];
    if (item[0] !== itemTypes.offPage || item.length < 12)
      throw invalidDatabase(`an item of Packages has the type ${item[0]}`);
    return [pages.readChain(item.readUInt32LE(4), item.readUInt32LE(8))];
  });
}

class Pages {
  readonly count: number;
  readonly #bytes: Buffer;
  readonly #pageBytes: number;
  /** Each page belongs to one value: a ring of pages, or one in two chains, would never end. */
  #unvisited: number;

  constructor(bytes: Buffer, pageBytes: number) {
    this.#bytes = bytes;
    this.#pageBytes = pageBytes;
    this.count = Math.floor(bytes.length / pageBytes);
    this.#unvisited = this.count;
  }

  read(number: number): Buffer {
    if (number >= this.count) throw invalidDatabase(`Packages has no page ${number}`);
    return this.#bytes.subarray(number * this.#pageBytes, (number + 1) * this.#pageBytes);
  }

  readChain(first: number, length: number): Buffer {
    const parts: Buffer[] = [];
    let missing = length;
    for (let number = first; missing > 0; ) {
      const page = this.read(number);
      this.#unvisited -= 1;
      if (number === 0 || page[25] !== pageTypes.overflow || this.#unvisited < 0)
        throw invalidDatabase("a chain of pages of Packages is broken");
      const part = page.subarray(pageHeaderBytes, pageHeaderBytes + missing);
      parts.push(part);
      missing -= part.length;
      number = page.readUInt32LE(16);
    }
    return Buffer.concat(parts);
  }
}
