import { Failure } from "../common/failure.ts";
import { type RetryOptions, withRetries } from "./retry.ts";
import type { ReadOptions, Store } from "./store.ts";

type ReadWholeOptions = ReadOptions & { limitBytes: number };

/**
 * Reads a small object, such as a manifest, into memory, again where the connection breaks off.
 * @param options `limit`: of attempts
 * @throws Failure `object-overlong` (integrity) beyond `limitBytes`, and what a store throws
 */
export async function readWhole(
  store: Store,
  key: string,
  { limit, retryDelayMs, onRetry, ...options }: ReadWholeOptions & RetryOptions & { limit?: number },
): Promise<Buffer> {
  return withRetries(() => readOnce(store, key, options), {
    ...(limit !== undefined && { limit }),
    ...(retryDelayMs !== undefined && { retryDelayMs }),
    ...(onRetry && { onRetry }),
    ...(options.signal && { signal: options.signal }),
  });
}

async function readOnce(store: Store, key: string, { limitBytes, ...options }: ReadWholeOptions): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of store.read(key, options)) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > limitBytes) {
      throw new Failure({
        code: "object-overlong",
        kind: "integrity",
        message: `reading ${store.url}/${key}: it is longer than the ${limitBytes} bytes that are sensible`,
        data: { limitBytes },
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, sizeBytes);
}
