/** Makes rpm databases for the tests, where no program of this machine can write one. */

interface HeaderFields {
  name: string;
  version?: string;
  release?: string;
  epoch?: number;
  arch?: string;
}

/** A header as rpm's database has it: big-endian counts, index entries of tag, type, offset and count, data. */
export function rpmHeader({ name, version = "1.0", release = "1", epoch, arch = "x86_64" }: HeaderFields): Buffer {
  const texts: [number, string][] = [
    [1000, name],
    [1001, version],
    [1002, release],
    [1022, arch],
  ];
  const entries: number[][] = [];
  const parts: Buffer[] = [];
  let offset = 0;
  if (epoch !== undefined) {
    const value = Buffer.alloc(4);
    value.writeUInt32BE(epoch);
    entries.push([1003, 4, offset, 1]);
    parts.push(value);
    offset += value.length;
  }
  for (const [tag, text] of texts) {
    const value = Buffer.from(`${text}\0`);
    entries.push([tag, 6, offset, 1]);
    parts.push(value);
    offset += value.length;
  }
  const intro = Buffer.alloc(8 + entries.length * 16);
  intro.writeUInt32BE(entries.length, 0);
  intro.writeUInt32BE(offset, 4);
  for (const [at, number] of entries.flat().entries()) intro.writeUInt32BE(number, 8 + at * 4);
  return Buffer.concat([intro, ...parts]);
}

/** A `Packages.db` with one page of slots: the header takes the place of the first two. */
export function ndbOf(headers: readonly Buffer[]): Buffer {
  const page = Buffer.alloc(4096);
  page.write("RpmP", 0, "latin1");
  page.writeUInt32LE(1, 8);
  page.writeUInt32LE(1, 12);
  for (let at = 32; at < page.length; at += 16) page.write("Slot", at, "latin1");
  const blobs: Buffer[] = [];
  let block = page.length / 16;
  for (const [index, header] of headers.entries()) {
    const blocks = Math.ceil((16 + header.length + 12) / 16);
    const blob = Buffer.alloc(blocks * 16);
    blob.write("BlbS", 0, "latin1");
    blob.writeUInt32LE(index + 1, 4);
    blob.writeUInt32LE(header.length, 12);
    header.copy(blob, 16);
    const slot = 32 + index * 16;
    page.writeUInt32LE(index + 1, slot + 4);
    page.writeUInt32LE(block, slot + 8);
    page.writeUInt32LE(blocks, slot + 12);
    blobs.push(blob);
    block += blocks;
  }
  return Buffer.concat([page, ...blobs]);
}
