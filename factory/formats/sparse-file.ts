import { randomUUID } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { Failure } from "../../common/failure.ts";

/** Zeros become holes in units of this size. */
const holeBytes = 2 ** 16;
const zeros = Buffer.alloc(holeBytes);

/**
 * Makes a file that appears, or is replaced, when all is in it, and not before. It is not flushed to the disk.
 * @param fill writes under the temporary name that it gets
 */
export async function appearWhole<T>(destination: string, fill: (partial: string) => Promise<T>): Promise<T> {
  const partial = `${destination}.${randomUUID()}.partial`;
  try {
    const result = await fill(partial);
    await writing(destination, rename(partial, destination));
    return result;
  } finally {
    await rm(partial, { force: true });
  }
}

/** A new file in which zeros are holes. Writes may come in any order, and several at a time. */
export class SparseFile implements AsyncDisposable {
  readonly #handle: FileHandle;
  readonly #path: string;

  private constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    this.#path = path;
  }

  /** @throws Failure `write-failed` (failed) */
  static async create(path: string): Promise<SparseFile> {
    return new SparseFile(await writing(path, open(path, "wx")), path);
  }

  /** @param position a multiple of 64 KiB makes the most of holes */
  async write(bytes: Buffer, position: number): Promise<void> {
    for (const { offset, length } of findData(bytes)) {
      for (let written = 0; written < length; ) {
        // A write to a nearly full disk may write less than it was given, and only the next one fails.
        const operation = this.#handle.write(bytes, offset + written, length - written, position + offset + written);
        written += (await writing(this.#path, operation)).bytesWritten;
      }
    }
  }

  async setSize(sizeBytes: number): Promise<void> {
    await writing(this.#path, this.#handle.truncate(sizeBytes));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await writing(this.#path, this.#handle.close());
  }
}

function* findData(bytes: Buffer): Generator<{ offset: number; length: number }> {
  const isZero = (offset: number) => {
    const block = bytes.subarray(offset, offset + holeBytes);
    return zeros.compare(block, 0, block.length, 0, block.length) === 0;
  };
  for (let offset = 0; offset < bytes.length; ) {
    let end = offset;
    while (end < bytes.length && !isZero(end)) end += holeBytes;
    if (end > offset) yield { offset, length: Math.min(end, bytes.length) - offset };
    offset = end + holeBytes;
  }
}

async function writing<T>(path: string, operation: Promise<T>): Promise<T> {
  return operation.catch((cause: unknown) => {
    throw new Failure({
      code: "write-failed",
      kind: "failed",
      message: `writing ${path}: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: "look at the free space and the permissions there",
      cause,
    });
  });
}
