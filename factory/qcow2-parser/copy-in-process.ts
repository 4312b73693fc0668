import type { FileHandle } from "node:fs/promises";
import type { CopyWatch } from "./copy-with-workers.ts";
import { findData } from "./find-data.ts";
import type { Qcow2Extent, Qcow2Image } from "./image.ts";
import { writeFailed } from "./write-failed.ts";

const chunkBytes = 2 ** 20;
/** Chunks in flight, so that reading, decompressing (in libuv's threads) and writing go on at once. */
const chunksAtWork = 4;

/**
 * Copies the disk by the image's own `read`, without threads of our own: for images that are not files, and small ones.
 * @returns bytes written
 * @throws Qcow2Error `write-failed`, and what a damaged image deserves; the signal's reason
 */
export async function copyInProcess(
  image: Qcow2Image,
  output: FileHandle,
  destination: string,
  { signal, onProgress }: CopyWatch,
): Promise<number> {
  const totalBytes = image.info.virtualSizeBytes;
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
          await writeAll(output, run.bytes, position + run.offset).catch((cause: unknown) => {
            throw writeFailed(destination, cause);
          });
          dataBytes += run.bytes.length;
        }
      }
      doneBytes += length;
      onProgress?.(doneBytes, totalBytes);
    }
  };

  // All are waited for, so that none writes to a closed file.
  const outcomes = await Promise.allSettled(Array.from({ length: chunksAtWork }, work));
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

/** A write to a nearly full disk may write less than it was given, and only the next one fails. */
async function writeAll(output: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    written += (await output.write(bytes, written, bytes.length - written, position + written)).bytesWritten;
  }
}
