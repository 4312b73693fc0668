import { createHash } from "node:crypto";
import { Failure } from "../../common/failure.ts";
import { type RetryOptions, withRetries } from "../retry.ts";
import type { Store, StoredObject } from "../store.ts";
import type { Bandwidth } from "./bandwidth.ts";
import { contentTypeOf } from "./content-type.ts";
import { type ReadResumedOptions, readResumed, sourceChanged } from "./read-resumed.ts";
import type { ListedFile } from "./read-statement.ts";
import type { Piece } from "./reuse-frames.ts";

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

/**
 * Copies one object. It is verified on its way, and ends before its last byte if it is not what it should be, so that
 * the store never completes it.
 * @throws Failure `file-hash-mismatch`, `file-size-mismatch`, `source-changed` (integrity); what a store throws
 */
export async function copyObject(from: Store, to: Store, file: ListedFile, options: CopyOptions): Promise<void> {
  const { key, sizeBytes } = file;
  const { onBytes, source, existing, bandwidth, base, ...retry } = options;
  const { signal } = retry;
  await withRetries(async () => {
    let travelled = 0;
    const count = (bytes: number) => {
      travelled += bytes;
      onBytes(bytes);
    };
    try {
      const found = source ?? (await findSource(from, key, signal));
      expectSize(file, found, from.url);
      const whole = { ...retry, sizeBytes, etag: found.etag, bandwidth };
      const bytes = base ? assemble(from, to, key, whole, base) : readResumed(from, key, whole);
      await putObject(to, key, { body: verify(bytes, file, from.url, count), sizeBytes, existing, signal });
    } catch (error) {
      onBytes(-travelled);
      throw error;
    }
  }, retry);
}

async function* assemble(
  from: Store,
  to: Store,
  key: string,
  whole: ReadResumedOptions,
  { object, pieces }: NonNullable<CopyOptions["base"]>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { bandwidth: _, ...unlimited } = whole;
  const ofBase = { ...unlimited, sizeBytes: object.sizeBytes, etag: object.etag };
  for (const { reused, start, end } of pieces) {
    const range = { start, end };
    yield* reused ? readResumed(to, object.key, { ...ofBase, range }) : readResumed(from, key, { ...whole, range });
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
  body: Uint8Array | AsyncIterable<Uint8Array>;
  sizeBytes: number;
  existing?: StoredObject | undefined;
  signal?: AbortSignal | undefined;
}

/** Writes an object where there is none, or in the place of the one that is known; another writer's is as good. */
export async function putObject(to: Store, key: string, { body, sizeBytes, existing, signal }: NewObject) {
  try {
    await to.write(key, body, {
      ...(existing ? { ifMatch: existing.etag } : { ifAbsent: true }),
      contentType: contentTypeOf(key),
      sizeBytes,
      ...(signal && { signal }),
    });
  } catch (error) {
    const lostRace = error instanceof Failure && ["object-exists", "object-changed"].includes(error.code);
    if (!lostRace || (await to.stat(key, signal))?.sizeBytes !== sizeBytes) throw error;
  }
}

async function* verify(
  body: AsyncIterable<Uint8Array>,
  { key, sizeBytes, sha256 }: ListedFile,
  url: string,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash("sha256");
  let received = 0;
  for await (const chunk of body) {
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
