import { type FileHandle, open } from "node:fs/promises";
import { Failure } from "../../common/failure.ts";

/** Bytes of a known number that can be read anywhere: a disk, a partition, a logical volume. */
export interface BlockSource {
  sizeBytes: number;
  /** Reads exactly this many bytes at this offset. @throws Failure `disk-too-short` (integrity) */
  read: (offsetBytes: number, lengthBytes: number) => Promise<Buffer>;
}

/** A raw disk file, opened for reading only. */
export class DiskFile implements BlockSource, AsyncDisposable {
  readonly path: string;
  readonly sizeBytes: number;
  readonly #file: FileHandle;

  private constructor(path: string, sizeBytes: number, file: FileHandle) {
    this.path = path;
    this.sizeBytes = sizeBytes;
    this.#file = file;
  }

  static async open(path: string): Promise<DiskFile> {
    const file = await open(path);
    return new DiskFile(path, (await file.stat()).size, file);
  }

  read = async (offsetBytes: number, lengthBytes: number): Promise<Buffer> => {
    assertInside(this, offsetBytes, lengthBytes);
    const { buffer, bytesRead } = await this.#file.read({ buffer: Buffer.alloc(lengthBytes), position: offsetBytes });
    if (bytesRead < lengthBytes) throw tooShort(offsetBytes, lengthBytes, bytesRead);
    return buffer;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

/** A part of a source, as a source of its own: nothing around it can be read through it. */
export function sliceSource(source: BlockSource, offsetBytes: number, sizeBytes: number): BlockSource {
  assertInside(source, offsetBytes, sizeBytes);
  const slice: BlockSource = {
    sizeBytes,
    read: (offset, length) => {
      assertInside(slice, offset, length);
      return source.read(offsetBytes + offset, length);
    },
  };
  return slice;
}

/** As many of the bytes as there are; none beyond the end. */
export function readUpTo(source: BlockSource, offsetBytes: number, lengthBytes: number): Promise<Buffer> {
  const start = Math.min(offsetBytes, source.sizeBytes);
  return source.read(start, Math.min(lengthBytes, source.sizeBytes - start));
}

function assertInside(source: BlockSource, offsetBytes: number, lengthBytes: number): void {
  if (offsetBytes >= 0 && lengthBytes >= 0 && offsetBytes + lengthBytes <= source.sizeBytes) return;
  throw tooShort(offsetBytes, lengthBytes, Math.max(0, source.sizeBytes - offsetBytes));
}

function tooShort(offsetBytes: number, lengthBytes: number, found: number): Failure {
  return new Failure({
    code: "disk-too-short",
    kind: "integrity",
    message: `reading a disk: of ${lengthBytes} bytes at ${offsetBytes} there are ${found}`,
    hint: "the image is cut short or was made to mislead: get it again from its vendor",
  });
}
