import { Failure } from "../../../common/failure.ts";
import { expectRange } from "../../../mirror/exact-bytes.ts";
import { checkKey, checkPrefix } from "../../../mirror/key.ts";
import type { ReadOptions, Store, StoredObject, WriteOptions } from "../../../mirror/store.ts";
import { collect } from "../gather.ts";

/** A store for tests that go through very many runs. */
export class MemoryStore implements Store {
  readonly url = "memory:";
  readonly #objects = new Map<string, StoredObject & { bytes: Buffer }>();
  #changes = 0;

  async stat(key: string): Promise<StoredObject | undefined> {
    checkKey(key);
    const found = this.#objects.get(key);
    return found && { key, sizeBytes: found.sizeBytes, etag: found.etag };
  }

  async *read(key: string, { range, ifMatch, signal }: ReadOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    checkKey(key);
    signal?.throwIfAborted();
    const found = this.#objects.get(key);
    if (!found) throw failure("object-missing", key);
    if (ifMatch !== undefined && ifMatch !== found.etag) throw failure("object-changed", key);
    const { start, end } = range ?? { start: 0, end: found.sizeBytes };
    const bytes = found.bytes.subarray(start, end);
    if (range) expectRange(`bytes ${start}-${start + bytes.byteLength - 1}/${found.sizeBytes}`, range, key);
    yield Buffer.from(bytes);
  }

  async write(
    key: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    { ifAbsent, ifMatch, signal }: WriteOptions = {},
  ): Promise<StoredObject> {
    checkKey(key);
    const bytes = body instanceof Uint8Array ? Buffer.from(body) : await collect(body);
    signal?.throwIfAborted();
    const former = this.#objects.get(key);
    if (ifAbsent && former) throw failure("object-exists", key);
    if (ifMatch !== undefined && ifMatch !== former?.etag) throw failure("object-changed", key);
    this.#changes += 1;
    const object = { key, sizeBytes: bytes.byteLength, etag: String(this.#changes) };
    this.#objects.set(key, { ...object, bytes });
    return object;
  }

  async *list(prefix: string): AsyncGenerator<StoredObject, void, undefined> {
    checkPrefix(prefix);
    for (const key of [...this.#objects.keys()].sort()) {
      const found = key.startsWith(prefix) && (await this.stat(key));
      if (found) yield found;
    }
  }

  async remove(key: string): Promise<void> {
    checkKey(key);
    this.#objects.delete(key);
  }
}

function failure(code: string, key: string): Failure {
  return new Failure({ code, kind: code === "object-short" ? "integrity" : "failed", message: `${code}: ${key}` });
}
