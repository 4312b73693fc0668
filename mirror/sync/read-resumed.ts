import { Failure } from "../../common/failure.ts";
import { downloadCut } from "../exact-bytes.ts";
import { patientAttempts, type RetryOptions, waitForRetry } from "../retry.ts";
import type { Store } from "../store.ts";
import type { Bandwidth } from "./bandwidth.ts";

export interface ReadResumedOptions extends RetryOptions {
  sizeBytes: number;
  /** Bytes from `start` up to, not including, `end`. Default: all of them. */
  range?: { start: number; end: number };
  /** The object's entity tag; empty where the store gives none. */
  etag: string;
  bandwidth?: Bandwidth | undefined;
}

/**
 * An object's bytes, or a range of them. Where a read breaks off, it goes on by range from there, until 12 attempts in a row brought
 * nothing.
 * @throws Failure `source-changed` (integrity) where the object is gone, or not the one any more that it was
 */
export async function* readResumed(
  store: Store,
  key: string,
  { sizeBytes, range: { start, end } = { start: 0, end: sizeBytes }, etag, bandwidth, ...retry }: ReadResumedOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const doing = `reading ${store.url}/${key}`;
  const { signal } = retry;
  let position = start;
  let attempts = 0;
  while (position < end) {
    try {
      const body = store.read(key, {
        // A server that knows no ranges is good enough as long as nothing breaks off.
        ...((position > 0 || end < sizeBytes) && { range: { start: position, end } }),
        ...(etag && { ifMatch: etag }),
        ...(signal && { signal }),
      });
      for await (const chunk of body) {
        position += chunk.byteLength;
        attempts = 0;
        await bandwidth?.take(chunk.byteLength, signal);
        yield chunk;
      }
      if (position < end) throw downloadCut(doing, { expected: end, found: position });
    } catch (error) {
      attempts += 1;
      await waitForRetry(asSourceChange(error, doing), attempts, { ...retry, limit: patientAttempts });
    }
  }
}

const changes = new Set(["object-missing", "object-changed", "object-short"]);

/** So that it is not taken for a change of what is written to. */
function asSourceChange(error: unknown, doing: string): unknown {
  return error instanceof Failure && changes.has(error.code) ? sourceChanged(doing, error) : error;
}

/** @returns Failure `source-changed` (integrity) */
export function sourceChanged(doing: string, cause?: Failure): Failure {
  return new Failure({
    code: "source-changed",
    kind: "integrity",
    message: `${doing}: the object is gone, or another one than before`,
    hint: "files of a published version never change: look at the mirror with `metalcast verify`",
    cause,
  });
}
