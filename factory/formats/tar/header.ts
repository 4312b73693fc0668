/** Makes the error for a reason; it knows what is being read. */
export type Refuse = (reason: string) => Error;

/** One block before a member, or before a record about the next member. Names are bytes, one a character (latin1). */
export interface TarHeader {
  /** The type flag: `0` file, `1` hard link, `2` symbolic link, `5` directory, `x` pax records, `L` GNU long name, ... */
  type: string;
  name: string;
  linkName: string;
  /** Of the data that follows. */
  sizeBytes: number;
  /** An old GNU sparse file's map goes on in the next block. */
  mapContinues: boolean;
}

export const blockBytes = 512;
const checksumStart = 148;
const checksumEnd = 156;

/**
 * Reads a header block of the ustar, pax or GNU format. It is stricter than programs that unpack: what they would
 * guess at, and could guess differently, is refused.
 * Source: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
 */
export function decodeHeader(block: Buffer, refuse: Refuse): TarHeader {
  let sum = (checksumEnd - checksumStart) * 0x20;
  for (let index = 0; index < blockBytes; index += 1) {
    if (index < checksumStart || index >= checksumEnd) sum += block[index] ?? 0;
  }
  if (readNumber(block, checksumStart, checksumEnd, refuse) !== sum) throw refuse("a header's checksum is wrong");
  const magic = block.toString("latin1", 257, 265);
  const isPosix = magic === "ustar\x0000";
  if (!isPosix && magic !== "ustar  \0") throw refuse("a header is neither ustar's nor GNU's");
  const prefix = isPosix ? readText(block, 345, 500) : "";
  const name = readText(block, 0, 100);
  const flag = block.toString("latin1", 156, 157);
  const type = flag === "\0" || flag === "7" ? "0" : flag;
  return {
    type,
    name: prefix === "" ? name : `${prefix}/${name}`,
    linkName: readText(block, 157, 257),
    sizeBytes: readNumber(block, 124, 136, refuse),
    mapContinues: type === "S" && block[482] !== 0,
  };
}

/** Text up to the first NUL, or to the end of the field. */
function readText(block: Buffer, start: number, end: number): string {
  return block.toString("latin1", start, end).split("\0", 1)[0] ?? "";
}

/** Octal digits, or a positive number in base 256 with the highest bit set ("Extensions to Sizes" in GNU's manual). */
function readNumber(block: Buffer, start: number, end: number, refuse: Refuse): number {
  if (((block[start] ?? 0) & 0x80) !== 0) {
    const value = BigInt(`0x${block.toString("hex", start, end)}`) - (0x80n << BigInt(8 * (end - start - 1)));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw refuse("a header's number is out of range");
    return Number(value);
  }
  const digits = /^ *([0-7]*)[ \0]*$/.exec(block.toString("latin1", start, end))?.[1];
  if (digits === undefined) throw refuse("a header's number is not octal");
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}
