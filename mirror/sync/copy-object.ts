import { createHash } from "node:crypto";
import { Failure } from "../../common/failure.ts";
import { type RetryOptions, withRetries } from "../retry.ts";
import { type BegunWrite, nothingBegun, type Store, type StoredObject } from "../store.ts";
import type { Bandwidth } from "./bandwidth.ts";
import { contentTypeOf } from "./content-type.ts";
import { type ReadResumedOptions, readResumed, sourceChanged } from "./read-resumed.ts";
import type { ListedFile } from "./read-statement.ts";
import { countReused, type Piece, skipBytes } from "./reuse-frames.ts";

export interface CopyOptions extends RetryOptions {
  /** What the source lists of it, where it has been listed. */
  source?: StoredObject | undefined;
  /** What lies at the key by now, and is to be replaced. */
  existing?: StoredObject | undefined;
  bandwidth?: Bandwidth | undefined;
  /** An archive that the target has, of whose bytes the new object is partly made. */
  base?: { object: StoredObject; pieces: readonly Piece[] } | undefined;
  /** Counts bytes as they travel; negative where some travel again. */
  onBytes: (count: number) => void;
}

/** Below that, an object is soon copied anew. */
const leastResumedBytes = 16 * 2 ** 20;

/**
 * Copies one object. It is verified on its way, and ends before its last byte if it is not what it should be, so that
 * the store never completes it. Of a large one that a killed run has begun, only the rest is copied; where the target's
 * own bytes turn out to be of no use, all of it comes from the source.
 * @returns how many bytes the target had already
 * @throws Failure `file-hash-mismatch`, `file-size-mismatch`, `source-changed` (integrity); what a store throws
 */
export async function copyObject(from: Store, to: Store, file: ListedFile, options: CopyOptions): Promise<number> {
  const { key, sizeBytes } = file;
  const { onBytes, source, existing, bandwidth, base, ...retry } = options;
  const { signal } = retry;
  let ownBytes = 0;
  const copy = (pieces: readonly Piece[]) =>
    withRetries(async () => {
      let travelled = 0;
      const count = (bytes: number) => {
        travelled += bytes;
        onBytes(bytes);
      };
      ownBytes = 0;
      try {
        const found = source ?? (await findSource(from, key, signal));
        expectSize(file, found, from.url);
        const whole = { ...retry, sizeBytes, etag: found.etag, bandwidth };
        const body = (begun: BegunWrite) => {
          const rest = skipBytes(pieces, begun.sizeBytes);
          ownBytes = begun.sizeBytes + countReused(rest);
          return verify(begun, assemble(from, to, key, whole, rest, base?.object), file, from.url, count);
        };
        await putObject(to, key, { body, sizeBytes, existing, signal });
      } catch (error) {
        onBytes(-travelled);
        throw error;
      }
    }, retry);
  const all = [{ reused: false, start: 0, end: sizeBytes }];
  try {
    await copy(base?.pieces ?? all);
  } catch (error) {
    if (ownBytes === 0 || !(error instanceof Failure) || error.kind !== "integrity") throw error;
    await copy(all);
  }
  return ownBytes;
}

async function* assemble(
  from: Store,
  to: Store,
  key: string,
  whole: ReadResumedOptions,
  pieces: readonly Piece[],
  base: StoredObject | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { bandwidth: _, ...unlimited } = whole;
  for (const { reused, start, end } of pieces) {
    const range = { start, end };
    if (!reused || !base) yield* readResumed(from, key, { ...whole, range });
    else yield* readResumed(to, base.key, { ...unlimited, sizeBytes: base.sizeBytes, etag: base.etag, range });
  }
}

async function findSource(from: Store, key: string, signal: AbortSignal | undefined): Promise<StoredObject> {
  const found = await from.stat(key, signal);
  if (!found) throw sourceChanged(`reading ${from.url}/${key}`);
  return found;
}

function expectSize({ key, sizeBytes }: ListedFile, found: StoredObject, url: string): void {
  if (found.sizeBytes !== sizeBytes) throw sizeMismatch(`${url}/${key}`, sizeBytes, found.sizeBytes);
}

interface NewObject {
  body: Uint8Array | ((begun: BegunWrite) => AsyncIterable<Uint8Array>);
  sizeBytes: number;
  existing?: StoredObject | undefined;
  signal?: AbortSignal | undefined;
}

/** Writes an object where there is none, or in the place of the one that is known; another writer's is as good. */
export async function putObject(to: Store, key: string, { body, sizeBytes, existing, signal }: NewObject) {
  const options = {
    ...(existing ? { ifMatch: existing.etag } : { ifAbsent: true }),
    contentType: contentTypeOf(key),
    sizeBytes,
    ...(signal && { signal }),
  };
  try {
    if (typeof body !== "function") await to.write(key, body, options);
    else if (to.writeResumed && sizeBytes >= leastResumedBytes) await to.writeResumed(key, body, options);
    else await to.write(key, body(nothingBegun), options);
  } catch (error) {
    const lostRace = error instanceof Failure && ["object-exists", "object-changed"].includes(error.code);
    if (!lostRace || (await to.stat(key, signal))?.sizeBytes !== sizeBytes) throw error;
  }
}

/** Passes on what comes after the beginning, once the hash of that is known. */
async function* verify(
  begun: BegunWrite,
  rest: AsyncIterable<Uint8Array>,
  { key, sizeBytes, sha256 }: ListedFile,
  url: string,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash("sha256");
  let received = 0;
  for await (const chunk of begun.read()) {
    received += chunk.byteLength;
    hash.update(chunk);
    onBytes(chunk.byteLength);
  }
  for await (const chunk of rest) {
    received += chunk.byteLength;
    if (received > sizeBytes) break;
    hash.update(chunk);
    onBytes(chunk.byteLength);
    yield chunk;
  }
  if (received !== sizeBytes) throw sizeMismatch(`${url}/${key}`, sizeBytes, received);
  const found = hash.digest("hex");
  if (found === sha256) return;
  throw hashMismatch(`${url}/${key}`, sha256, found);
}

/** @returns Failure `file-hash-mismatch` (integrity) */
export function hashMismatch(where: string, expected: string, found: string): Failure {
  const message = `reading ${where}: its SHA-256 is ${found}, not ${expected}`;
  return mismatch("file-hash-mismatch", message, expected, found);
}

function sizeMismatch(where: string, expected: number, found: number): Failure {
  return mismatch("file-size-mismatch", `reading ${where}: it has ${found} bytes, not ${expected}`, expected, found);
}

function mismatch(code: string, message: string, expected: unknown, found: unknown): Failure {
  return new Failure({
    code,
    kind: "integrity",
    message,
    hint: "the file is damaged on the mirror that is copied, or on its way: look at it with `metalcast verify`",
    data: { expected, found },
  });
}
