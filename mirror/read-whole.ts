import { Failure } from "../common/failure.ts";
import type { ReadOptions, Store } from "./store.ts";

/**
 * Reads a small object, such as a manifest, into memory.
 * @throws Failure `object-overlong` (integrity) beyond the limit, and what a store throws
 */
export async function readWhole(
  store: Store,
  key: string,
  { limitBytes, ...options }: ReadOptions & { limitBytes: number },
): Promise<Buffer> {
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
