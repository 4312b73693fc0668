import { existsSync } from "node:fs";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { type CopyReply, fromPlain } from "./copy-message.ts";
import { Qcow2Error } from "./error.ts";
import { cutIntoShares, type Qcow2Layout, type TableRange } from "./layout.ts";
import type { CopyJob } from "./share-copier.ts";

/** Compiled or not, it lies beside this file. In a bundle, which is one file, there is none. */
const workerFile = new URL(`./copy-worker${extname(import.meta.url)}`, import.meta.url);

/** A young generation this small stays in the processor's cache; decompressing fills it with what nobody keeps. */
const resourceLimits = { maxYoungGenerationSizeMb: 3, maxOldGenerationSizeMb: 64 };

/** Shares that each thread has before it, so that none waits for the next one. */
const sharesAhead = 2;

export function canUseWorkers(): boolean {
  return existsSync(fileURLToPath(workerFile));
}

export interface CopyWatch {
  signal?: AbortSignal | undefined;
  onProgress?: ((bytes: number, totalBytes: number) => void) | undefined;
}

/**
 * Copies the disk from one open file to another in worker threads, which read, decompress and write by themselves. All
 * of them have ended when this returns or throws.
 * @returns bytes written
 * @throws Qcow2Error `write-failed`, `worker-failed`, and what a damaged image deserves; the signal's reason
 */
export async function copyWithWorkers(
  layout: Qcow2Layout,
  job: CopyJob,
  threads: number,
  { signal, onProgress }: CopyWatch,
): Promise<number> {
  signal?.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal?.reason);
  signal?.addEventListener("abort", abort);
  // What onProgress throws may come first.
  aborted.promise.catch(() => undefined);

  const totalBytes = layout.header.virtualSizeBytes;
  const shares = cutIntoShares(layout);
  let doneBytes = totalBytes - mappedBytes(layout);
  let dataBytes = 0;
  const onDone = (share: readonly TableRange[], written: number) => {
    dataBytes += written;
    doneBytes += lengthOf(share);
    onProgress?.(doneBytes, totalBytes);
  };

  const workers: Worker[] = [];
  try {
    onProgress?.(doneBytes, totalBytes);
    // Options of this process, such as --input-type, need not suit a thread.
    const options = { workerData: job, execArgv: [], resourceLimits };
    while (workers.length < threads) workers.push(new Worker(workerFile, options));
    await Promise.race([aborted.promise, Promise.all(workers.map((worker) => feed(worker, shares, onDone)))]);
    return dataBytes;
  } finally {
    signal?.removeEventListener("abort", abort);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** Hands one share after the other to a thread. */
function feed(
  worker: Worker,
  shares: Generator<TableRange[], void, undefined>,
  onDone: (share: readonly TableRange[], written: number) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const waiting: TableRange[][] = [];
    const hand = () => {
      const { done, value } = shares.next();
      if (done) return;
      waiting.push(value);
      worker.postMessage(value);
    };
    worker.on("message", (reply: CopyReply) => {
      if ("refused" in reply) return reject(fromPlain(reply.refused));
      try {
        onDone(waiting.shift() ?? [], reply.dataBytes);
      } catch (error) {
        return reject(error);
      }
      hand();
      if (waiting.length === 0) resolve();
    });
    const fail = (cause?: unknown) =>
      reject(new Qcow2Error("worker-failed", "a thread that converts the image has died", { cause }));
    worker.on("error", fail);
    worker.on("exit", () => fail());
    for (let count = 0; count < sharesAhead; count += 1) hand();
    if (waiting.length === 0) resolve();
  });
}

function lengthOf(share: readonly TableRange[]): number {
  return share.reduce((sum, { start, end }) => sum + end - start, 0);
}

function mappedBytes({ header, l2Offsets }: Qcow2Layout): number {
  const reach = header.clusterBytes * header.l2Entries;
  let bytes = 0;
  for (const [index, offset] of l2Offsets.entries()) {
    if (offset !== 0) bytes += Math.min(reach, header.virtualSizeBytes - index * reach);
  }
  return bytes;
}
