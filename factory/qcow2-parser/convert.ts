import { randomUUID } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { copyInProcess } from "./copy-in-process.ts";
import { canUseWorkers, copyWithWorkers } from "./copy-with-workers.ts";
import type { Qcow2Image } from "./image.ts";
import { Turn } from "./turn.ts";
import { writeFailed } from "./write-failed.ts";

/** Below this size of the qcow2 file the start of a thread takes longer than it saves. */
const worthThreadsBytes = 32 * 2 ** 20;
/** More threads wait for each other: writes to one file follow one another. */
const maximumThreads = 8;

export interface ConvertOptions {
  signal?: AbortSignal;
  /** Called as parts are finished. Bytes of the virtual disk, holes included. */
  onProgress?: (bytes: number, totalBytes: number) => void;
  /**
   * Worker threads; 0 converts in this thread, as does an image that is not a file, or code that was bundled into one
   * file. Default: one for each processor, 8 at most; none for a file below 32 MiB.
   */
  threads?: number;
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
  { signal, onProgress, threads = threadsFor(image) }: ConvertOptions,
): Promise<number> {
  const { header, fileSizeBytes, fileDescriptor } = image.layout;
  await writing(destination, output.truncate(header.virtualSizeBytes));
  const watch = { signal, onProgress };
  if (threads === 0 || fileDescriptor === undefined || !canUseWorkers()) {
    return copyInProcess(image, output, destination, watch);
  }
  const job = { header, fileSizeBytes, destination, input: fileDescriptor, output: output.fd, writing: Turn.share() };
  return copyWithWorkers(image.layout, job, threads, watch);
}

function threadsFor({ layout }: Qcow2Image): number {
  return layout.fileSizeBytes < worthThreadsBytes ? 0 : Math.min(availableParallelism(), maximumThreads);
}

async function writing<T>(destination: string, operation: Promise<T>): Promise<T> {
  return operation.catch((cause: unknown) => {
    throw writeFailed(destination, cause);
  });
}
