import type { Advance } from "../common/event.ts";
import { Failure } from "../common/failure.ts";
import { formatDuration, formatSize } from "../common/units.ts";
import type { Checksum } from "./checksum.ts";
import { requestFailure, tooLarge } from "./download-failure.ts";
import { requestFile } from "./http-request.ts";
import { PartialFile } from "./partial-file.ts";
import { withRetries } from "./retry.ts";

export interface DownloadLimits {
  maximumBytes?: number;
  /** For the whole file, pauses included. */
  totalMs?: number;
  /** Without a byte. */
  stallMs?: number;
  /** How often in a row it may break off without having brought anything. */
  attempts?: number;
  /** Before the second attempt. */
  pauseMs?: number;
}

export interface DownloadOptions extends DownloadLimits {
  signal?: AbortSignal | undefined;
  advance?: Advance | undefined;
}

const usual = { maximumBytes: 16 * 2 ** 30, totalMs: 6 * 3_600_000, stallMs: 60_000, attempts: 6, pauseMs: 1000 };

/**
 * Brings a file here and gives it its name once its checksum matched. Beside it, `NAME.partial` and `NAME.etag` keep
 * what came so far, for the next attempt and for the next run; whoever calls sees to it that nobody else writes them.
 * @throws Failure `download-failed`, `download-timeout` (retry), `download-refused` (configuration),
 *   `download-too-large`, `redirect-refused`, `checksum-mismatch` (integrity), `interrupted`
 */
export async function downloadFile(
  url: string,
  checksum: Checksum,
  path: string,
  options: DownloadOptions = {},
): Promise<void> {
  const limits = { ...usual, ...defined(options) };
  await inTime(url, options, limits, async (signal) => {
    await using partial = await PartialFile.open(path, checksum);
    await withRetries({ ...limits, signal, progress: () => partial.bytes }, async () => {
      if (partial.isComplete()) return;
      const resume = partial.etag === undefined ? undefined : { from: partial.bytes, etag: partial.etag };
      await using remote = await requestFile(url, { resume, stallMs: limits.stallMs, signal });
      if (remote.offset === 0) await partial.restart(remote.etag);
      if ((remote.totalBytes ?? 0) > limits.maximumBytes) throw await oversized(url, limits.maximumBytes, partial);
      for await (const chunk of remote.body) {
        if (partial.bytes + chunk.length > limits.maximumBytes)
          throw await oversized(url, limits.maximumBytes, partial);
        await partial.append(chunk);
        options.advance?.(partial.bytes, remote.totalBytes);
      }
      // Of a connection that has no framing of its own, the end is not known to be the file's.
      if (partial.bytes < (remote.totalBytes ?? 0)) throw requestFailure(url, new Error("the answer ended early"));
    });
    await partial.finish(url);
  });
}

/**
 * Brings a small file into memory: a list of checksums, a signature.
 * @throws Failure, as `downloadFile`
 */
export async function downloadBytes(url: string, options: DownloadOptions & { maximumBytes: number }): Promise<Buffer> {
  const limits = { ...usual, ...defined(options) };
  return inTime(url, options, limits, (signal) =>
    withRetries({ ...limits, signal }, async () => {
      await using remote = await requestFile(url, { stallMs: limits.stallMs, signal });
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      for await (const chunk of remote.body) {
        bytes += chunk.length;
        if (bytes > limits.maximumBytes) throw tooLarge(url, limits.maximumBytes, formatSize(limits.maximumBytes));
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    }),
  );
}

/** An option that is there and undefined must not hide the usual value. */
function defined(options: DownloadOptions): DownloadLimits {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

async function inTime<T>(
  url: string,
  options: DownloadOptions,
  { totalMs }: { totalMs: number },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = AbortSignal.timeout(totalMs);
  try {
    return await work(options.signal ? AbortSignal.any([options.signal, deadline]) : deadline);
  } catch (error) {
    if (options.signal?.aborted) {
      const message = `downloading ${url}: interrupted`;
      throw new Failure({ code: "interrupted", kind: "interrupted", message, cause: error });
    }
    if (!deadline.aborted) throw error;
    throw new Failure({
      code: "download-timeout",
      kind: "retry",
      message: `downloading ${url}: it took longer than ${formatDuration(totalMs)}`,
      hint: "run it again: what has come is kept, and the rest is fetched",
      data: { url, totalMs },
      cause: error,
    });
  }
}

async function oversized(url: string, maximumBytes: number, partial: PartialFile): Promise<Failure> {
  await partial.discard();
  return tooLarge(url, maximumBytes, formatSize(maximumBytes));
}
