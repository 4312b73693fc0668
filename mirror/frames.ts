import { subtle } from "node:crypto";
import { promisify } from "node:util";
import { type ZstdOptions, zstdDecompress } from "node:zlib";
import { asFailure, Failure } from "../common/failure.ts";
import { downloadCut } from "./exact-bytes.ts";
import { archiveName, type Frame, type Manifest } from "./manifest.ts";
import { readAhead } from "./read-ahead.ts";
import { release } from "./release.ts";
import { patientAttempts, type RetryOptions, waitForRetry } from "./retry.ts";
import type { Store, StoredObject } from "./store.ts";

const decompress = promisify<Uint8Array, ZstdOptions, Buffer>(zstdDecompress);

/** Node's Z_MIN_CHUNK. */
const smallestChunkBytes = 64;

export interface ReadShardOptions extends RetryOptions {
  /** Called with the packed size of every frame that was verified. */
  onBytes?: (count: number) => void;
}

/**
 * The plain bytes of one shard of `image.tar.zst`, one chunk per frame. A frame's SHA-256 is checked before it is
 * decompressed, and nothing of it is passed on before it is whole. The shard is one ranged read; where that breaks off,
 * it goes on at the frame where it broke, until 12 attempts in a row brought no whole frame. Memory: two frames, packed
 * and plain, whatever the server sends.
 * @param key of the archive: the image's prefix and `image.tar.zst`
 * @throws Failure `frame-hash-mismatch`, `frame-size-mismatch`, `object-changed` (integrity); `download-cut`,
 *   `store-unreachable` (retry) after several attempts; what else a store throws
 */
export async function* readShard(
  store: Store,
  key: string,
  manifest: Manifest,
  shardIndex: number,
  { signal, onBytes, ...retry }: ReadShardOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const shard = manifest.shards[shardIndex];
  if (!shard) throw new RangeError(`shard ${shardIndex} of ${manifest.shards.length}`);
  const frames = manifest.frames.slice(shard.firstFrame, shard.firstFrame + shard.frameCount);
  const doing = `reading ${store.url}/${key}`;
  // A reader that leaves early must not wait for a stalled server.
  const left = new AbortController();
  const leave = () => left.abort();
  const source = { ...retry, store, key, signal: signal ? AbortSignal.any([signal, left.signal]) : left.signal };
  try {
    yield* readAhead(openFrames(fetchFrames(source, frames, manifest), doing, onBytes), leave);
  } catch (error) {
    throw asFailure(error, doing);
  }
}

interface Source extends RetryOptions {
  store: Store;
  key: string;
  signal: AbortSignal;
}

interface PackedFrame {
  frame: Frame;
  bytes: Uint8Array;
}

async function* fetchFrames(
  source: Source,
  frames: readonly Frame[],
  manifest: Manifest,
): AsyncGenerator<PackedFrame, void, undefined> {
  let ifMatch: string | undefined;
  let next = 0;
  let attempts = 0;
  while (next < frames.length) {
    try {
      ifMatch ??= (await findArchive(source, manifest)).etag;
      for await (const packed of fetchOnce(source, frames.slice(next), ifMatch)) {
        next += 1;
        attempts = 0;
        yield packed;
      }
    } catch (error) {
      attempts += 1;
      await waitForRetry(asChangedArchive(error), attempts, { ...source, limit: patientAttempts });
    }
  }
}

async function findArchive({ store, key, signal }: Source, manifest: Manifest): Promise<StoredObject> {
  const found = await store.stat(key, signal);
  if (!found) {
    throw new Failure({
      code: "object-missing",
      kind: "failed",
      message: `reading ${store.url}/${key}: it is missing`,
    });
  }
  const expected = manifest.files.find(({ path }) => path === archiveName)?.sizeBytes;
  if (found.sizeBytes === expected) return found;
  throw archiveChanged(`reading ${store.url}/${key}: it has ${found.sizeBytes} bytes, the manifest says ${expected}`);
}

/** One ranged read, cut into frames. What comes after the last one is not looked at. */
async function* fetchOnce(
  { store, key, signal }: Source,
  frames: readonly Frame[],
  ifMatch: string,
): AsyncGenerator<PackedFrame, void, undefined> {
  const range = { start: frames[0]?.offset ?? 0, end: (frames.at(-1)?.offset ?? 0) + (frames.at(-1)?.sizeBytes ?? 0) };
  const body = store.read(key, { range, ifMatch, signal })[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array();
  try {
    for (const frame of frames) {
      const bytes = Buffer.allocUnsafeSlow(frame.sizeBytes);
      for (let filled = 0; filled < bytes.byteLength; ) {
        if (rest.byteLength === 0) {
          const { done, value } = await body.next();
          if (done) throw downloadCut(`reading ${store.url}/${key}`, { expected: frame.sizeBytes, found: filled });
          rest = value;
        }
        const part = rest.subarray(0, bytes.byteLength - filled);
        bytes.set(part, filled);
        filled += part.byteLength;
        const left = rest.subarray(part.byteLength);
        if (left.byteLength === 0 && rest.byteLength === rest.buffer.byteLength) release(rest);
        rest = left;
      }
      yield { frame, bytes };
    }
  } finally {
    await body.return?.();
  }
}

async function* openFrames(
  packed: AsyncIterable<PackedFrame>,
  doing: string,
  onBytes: ReadShardOptions["onBytes"],
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const { frame, bytes } of packed) {
    const where = `${doing}: the frame at byte ${frame.offset}`;
    // In libuv's pool, as the decompression is: several shards keep several cores busy.
    const found = Buffer.from(await subtle.digest("SHA-256", bytes)).toString("hex");
    if (found !== frame.sha256) {
      throw new Failure({
        code: "frame-hash-mismatch",
        kind: "integrity",
        message: `${where} has SHA-256 ${found}, the manifest says ${frame.sha256}`,
        hint: "the archive was damaged on its way or on the mirror: run it again, then publish the image again",
        data: { expected: frame.sha256, found },
      });
    }
    // In one piece, with room to spare: Node would get itself another as large where the first is exactly full.
    const limits = { maxOutputLength: frame.plainBytes, chunkSize: frame.plainBytes + smallestChunkBytes };
    const plain = await decompress(bytes, limits).catch((error: unknown) => {
      throw sizeMismatch(`${where} does not decompress to ${frame.plainBytes} bytes`, error);
    });
    if (plain.byteLength !== frame.plainBytes) {
      throw sizeMismatch(`${where} has ${plain.byteLength} plain bytes, the manifest says ${frame.plainBytes}`);
    }
    release(bytes);
    onBytes?.(frame.sizeBytes);
    yield plain;
  }
}

/** A published archive never changes: if it did, that is no race but a mirror that can't be trusted. */
function asChangedArchive(error: unknown): unknown {
  if (!(error instanceof Failure) || error.code !== "object-changed") return error;
  return archiveChanged(error.message, error);
}

function archiveChanged(message: string, cause?: unknown): Failure {
  return new Failure({
    code: "object-changed",
    kind: "integrity",
    message,
    hint: "the archive was replaced on the mirror: publish the image again under a new version",
    cause,
  });
}

function sizeMismatch(message: string, cause?: unknown): Failure {
  return new Failure({
    code: "frame-size-mismatch",
    kind: "integrity",
    message,
    hint: "the manifest is not of this archive: publish the image again under a new version",
    cause,
  });
}
