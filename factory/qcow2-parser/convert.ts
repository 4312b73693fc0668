import { randomUUID } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { Qcow2Error } from "./error.ts";
import type { Qcow2Extent, Qcow2Image } from "./image.ts";
import { reasonOf } from "./source.ts";

const chunkBytes = 2 ** 20;
/** Zeros inside data become holes in units of this size. */
const holeBytes = 2 ** 16;
const zeros = Buffer.alloc(holeBytes);

export interface ConvertOptions {
  signal?: AbortSignal;
  /** Called as chunks are finished. Bytes of the virtual disk, holes included. */
  onProgress?: (bytes: number, totalBytes: number) => void;
  /** Chunks (1 MiB, or a cluster if that is larger) in flight. Memory is a few times that. Default: 4. */
  concurrency?: number;
}

export interface ConvertResult {
  virtualSizeBytes: number;
  /** Bytes written; the rest of the file is holes. */
  dataBytes: number;
}

/**
 * Writes the virtual disk to a sparse raw file. The destination appears, or is replaced, when everything is in it and
 * not before.
 * @throws Qcow2Error `write-failed`, and what a damaged image deserves; the signal's reason when it is aborted
 */
export async function convertToRaw(
  image: Qcow2Image,
  destination: string,
  options: ConvertOptions = {},
): Promise<ConvertResult> {
  const partial = `${destination}.${randomUUID()}.partial`;
  const output = await writing(destination, open(partial, "wx"));
  try {
    const dataBytes = await copy(image, output, destination, options).finally(() =>
      writing(destination, output.close()),
    );
    await writing(destination, rename(partial, destination));
    return { virtualSizeBytes: image.info.virtualSizeBytes, dataBytes };
  } finally {
    await rm(partial, { force: true });
  }
}

async function copy(
  image: Qcow2Image,
  output: FileHandle,
  destination: string,
  { signal, onProgress, concurrency = 4 }: ConvertOptions,
): Promise<number> {
  const totalBytes = image.info.virtualSizeBytes;
  await writing(destination, output.truncate(totalBytes));
  const chunks = cutIntoChunks(image);
  let doneBytes = 0;
  let dataBytes = 0;

  // Leaving the loop by an error ends the generator, which ends the others' loops too.
  const work = async () => {
    for await (const { kind, position, length } of chunks) {
      signal?.throwIfAborted();
      if (kind === "data") {
        const data = await image.read(position, length);
        for (const run of findData(data)) {
          await writing(destination, writeAll(output, run.bytes, position + run.offset));
          dataBytes += run.bytes.length;
        }
      }
      doneBytes += length;
      onProgress?.(doneBytes, totalBytes);
    }
  };

  // All are waited for, so that none writes to a closed file.
  const outcomes = await Promise.allSettled(Array.from({ length: Math.max(1, concurrency) }, work));
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed) throw failed.reason;
  return dataBytes;
}

/** Cut at cluster boundaries, so that no compressed cluster is decompressed twice. */
async function* cutIntoChunks(image: Qcow2Image): AsyncGenerator<Qcow2Extent, void, undefined> {
  const length = Math.max(chunkBytes, image.info.clusterBytes);
  for await (const extent of image.extents()) {
    if (extent.kind === "zero") {
      yield extent;
      continue;
    }
    const extentEnd = extent.position + extent.length;
    for (let position = extent.position; position < extentEnd; ) {
      const end = Math.min(extentEnd, (Math.floor(position / length) + 1) * length);
      yield { kind: "data", position, length: end - position };
      position = end;
    }
  }
}

function* findData(data: Buffer): Generator<{ offset: number; bytes: Buffer }> {
  const isZero = (offset: number) => {
    const block = data.subarray(offset, offset + holeBytes);
    return zeros.compare(block, 0, block.length, 0, block.length) === 0;
  };
  for (let offset = 0; offset < data.length; ) {
    let end = offset;
    while (end < data.length && !isZero(end)) end += holeBytes;
    if (end > offset) yield { offset, bytes: data.subarray(offset, end) };
    offset = end + holeBytes;
  }
}

/** A write to a nearly full disk may write less than it was given, and only the next one fails. */
async function writeAll(output: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    written += (await output.write(bytes, written, bytes.length - written, position + written)).bytesWritten;
  }
}

async function writing<T>(destination: string, operation: Promise<T>): Promise<T> {
  return operation.catch((cause: unknown) => {
    throw new Qcow2Error("write-failed", `writing ${destination}: ${reasonOf(cause)}`, { cause });
  });
}
