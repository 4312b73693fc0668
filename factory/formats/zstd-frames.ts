import { ByteWalk, type Walk } from "./byte-walk.ts";

const frameMagic = 0xfd2fb528;
/** RFC 8878, 3.1.2: sixteen magic numbers, for frames of no data. */
const skippableMagic = 0x184d2a5;
const rleBlock = 1;

/** Makes the error for a file that is not taken. */
type Refuse = (code: "stream-trailing" | "image-truncated", reason: string) => Error;

/**
 * Watches a zstd file go by, and sees that it is whole frames and nothing else. zstd(1) itself would go on with gzip,
 * xz or lz4 data behind a frame. Content is not looked at. Source: RFC 8878, 3.1.
 */
export class ZstdFrames {
  readonly #refuse: Refuse;
  readonly #walk: ByteWalk;

  constructor(refuse: Refuse) {
    this.#refuse = refuse;
    this.#walk = new ByteWalk(walkFrames(refuse));
  }

  push(chunk: Uint8Array): void {
    this.#walk.push(chunk);
  }

  /** To be called when no more comes. */
  end(): void {
    if (!this.#walk.mayEnd) throw this.#refuse("image-truncated", "it ends inside of a zstd frame");
  }
}

function* walkFrames(refuse: Refuse): Walk {
  for (let isFirst = true; ; isFirst = false) {
    const magic = (yield { take: 4, mayEnd: !isFirst }).readUInt32LE();
    if (magic >>> 4 === skippableMagic) {
      yield { skip: (yield { take: 4 }).readUInt32LE() };
      continue;
    }
    if (magic !== frameMagic) throw refuse("stream-trailing", "something that is no zstd frame follows its data");
    const descriptor = (yield { take: 1 }).readUInt8();
    const isSingleSegment = (descriptor & 0x20) !== 0;
    // 3.1.1.1.1: fields of 1, 2, 4 or 8 bytes. A single segment always says its size, and has no window descriptor.
    const contentSizeFlag = descriptor >> 6;
    const contentSize = contentSizeFlag > 0 ? 2 ** contentSizeFlag : isSingleSegment ? 1 : 0;
    const dictionaryFlag = descriptor & 3;
    const dictionary = dictionaryFlag > 0 ? 2 ** (dictionaryFlag - 1) : 0;
    yield { skip: contentSize + dictionary + (isSingleSegment ? 0 : 1) };
    for (let isLast = false; !isLast; ) {
      const block = (yield { take: 3 }).readUIntLE(0, 3);
      isLast = (block & 1) === 1;
      yield { skip: ((block >> 1) & 3) === rleBlock ? 1 : block >> 3 };
    }
    const hasChecksum = (descriptor & 4) !== 0;
    yield { skip: hasChecksum ? 4 : 0 };
  }
}
