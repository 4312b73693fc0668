import type { ConvertOptions } from "../disk-format.ts";
import { SparseFile } from "../sparse-file.ts";
import type { VmdkImage } from "./image.ts";

const chunkBytes = 2 ** 20;
/** Enough to keep libuv's four threads busy while others read and write. */
const chunksInFlight = 4;

/**
 * Writes the virtual disk to a new sparse file.
 * @throws Failure, as VmdkImage.read and SparseFile do; the signal's reason when it is aborted
 */
export async function convertVmdk(
  image: VmdkImage,
  partial: string,
  { signal, advance }: Pick<ConvertOptions, "signal" | "advance">,
): Promise<void> {
  const { virtualSizeBytes } = image.info;
  await using file = await SparseFile.create(partial);
  await file.setSize(virtualSizeBytes);
  const claims = image.claimTables();
  const chunks = cutIntoChunks(image);
  let reached = 0;

  // All share one generator. Leaving the loop by an error ends it, and with it the others' loops.
  const work = async () => {
    for (const chunk of chunks) {
      signal?.throwIfAborted();
      const bytes = await image.read(chunk, claims);
      if (bytes) await file.write(bytes, chunk.position);
      reached = Math.max(reached, chunk.position + chunk.length);
      advance?.(reached, virtualSizeBytes);
    }
  };

  // All are waited for, so that none writes to a closed file.
  const outcomes = await Promise.allSettled(Array.from({ length: chunksInFlight }, work));
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed) throw failed.reason;
  advance?.(virtualSizeBytes, virtualSizeBytes);
}

function* cutIntoChunks(image: VmdkImage): Generator<{ position: number; length: number }, void, undefined> {
  for (const { position, length } of image.mappedRanges()) {
    for (let start = position; start < position + length; start += chunkBytes) {
      yield { position: start, length: Math.min(chunkBytes, position + length - start) };
    }
  }
}
