import { Failure } from "../common/failure.ts";
import { release } from "../mirror/release.ts";

const blockBytes = 512;

/** More than Linux lets a file carry as extended attributes. */
const extendedHeaderLimitBytes = 16 * 2 ** 20;

/**
 * Passes on an archive's members as GNU tar writes them, changed in two ways. Without the zeros behind the last one:
 * two blocks and, on a pipe, as many as fill its record; only the headers tell where that is, for a file's own end may
 * be zeros too. And with extended attributes in order: tar has them as the file system lists them, which is the order
 * in which somebody happened to set them.
 * Header blocks and records: POSIX pax, "ustar Interchange Format" and "pax Header Block".
 * @param archive its chunks are given away
 * @returns chunks that are valid until the next one is asked for
 * @param onEnd called where the archive is whole: where it breaks off, its writer knows why
 * @throws Failure `archive-malformed` (failed)
 */
export async function* archiveMembers(
  archive: AsyncIterable<Uint8Array>,
  onEnd: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const walk = new MemberWalk();
  let rest: Uint8Array = new Uint8Array();
  for await (const chunk of archive) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    const walkedBytes = walk.advance(bytes);
    rest = Buffer.from(bytes.subarray(walkedBytes));
    if (walkedBytes > 0) yield bytes.subarray(0, walkedBytes);
    release(bytes);
    if (!walk.ended) continue;
    if (rest.some((byte) => byte !== 0)) throw malformed("it goes on after its end");
    rest = new Uint8Array();
  }
  if (walk.ended) onEnd();
}

class MemberWalk {
  /** Whether a block of zeros came in place of a header. */
  ended = false;
  /** In whole blocks, before the next header. */
  #contentBytes = 0;
  /** Of the next member, where its own header has no room for it. */
  #size: number | undefined;

  /** @returns how many of these bytes belong to members and are done with; the others are wanted again, with more */
  advance(bytes: Uint8Array): number {
    let position = 0;
    while (!this.ended) {
      const content = Math.min(this.#contentBytes, bytes.length - position);
      position += content;
      this.#contentBytes -= content;
      if (bytes.length - position < blockBytes) break;
      const header = Buffer.from(bytes.buffer, bytes.byteOffset + position, blockBytes);
      this.ended = header.every((byte) => byte === 0);
      if (this.ended) break;
      const { type, size } = readHeader(header, this.#size);
      const paddedBytes = Math.ceil(size / blockBytes) * blockBytes;
      if (type === "x") {
        if (size > extendedHeaderLimitBytes) throw malformed("an extended header is too large");
        if (bytes.length - position < blockBytes + paddedBytes) break;
        this.#size = orderRecords(Buffer.from(bytes.buffer, header.byteOffset + blockBytes, size));
      } else {
        this.#size = undefined;
      }
      position += blockBytes;
      this.#contentBytes = paddedBytes;
    }
    return position;
  }
}

function readHeader(header: Buffer, sizeBefore: number | undefined): { type: string; size: number } {
  if (header.toString("latin1", 257, 262) !== "ustar") throw malformed("a header is missing");
  const size = sizeBefore ?? Number.parseInt(header.toString("latin1", 124, 136), 8);
  if (!Number.isSafeInteger(size)) throw malformed("a header has no size");
  return { type: header.toString("latin1", 156, 157), size };
}

/** Records are "LENGTH KEY=VALUE\n", their length in decimal and of the whole. @returns the one of key "size" */
function orderRecords(bytes: Buffer): number | undefined {
  const attributes: Buffer[] = [];
  const others: Buffer[] = [];
  let size: number | undefined;
  for (let start = 0; start < bytes.length; ) {
    const [, length = "", key = "", value] =
      /^(\d+) (size=|SCHILY\.xattr\.)?(\d+\n)?/.exec(bytes.toString("latin1", start, start + 64)) ?? [];
    const end = start + Number(length);
    if (end === start || end > bytes.length) throw malformed("an extended header has no records");
    if (key === "size=") size = Number(value);
    const record = Buffer.from(bytes.subarray(start, end));
    if (key === "SCHILY.xattr.") attributes.push(record);
    else others.push(record);
    start = end;
  }
  // By what follows the length.
  attributes.sort((a, b) => Buffer.compare(a.subarray(a.indexOf(" ")), b.subarray(b.indexOf(" "))));
  if (attributes.length > 1) Buffer.concat([...others, ...attributes]).copy(bytes);
  return size;
}

function malformed(problem: string): Failure {
  return new Failure({
    code: "archive-malformed",
    kind: "failed",
    message: `packing: what tar has written is no archive: ${problem}`,
    hint: "check that `tar --version` says GNU tar",
  });
}
