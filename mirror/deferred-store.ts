import type {
  CopiedObject,
  CopyFromOptions,
  ReadOptions,
  Store,
  StoredObject,
  UnfinishedWrite,
  WriteOptions,
} from "./store.ts";

/** A store whose code is loaded when it is used for the first time: whoever uses another kind does without it. */
export class DeferredStore implements Store {
  readonly url: string;
  readonly #load: () => Promise<Store>;
  #loading: Promise<Store> | undefined;

  /** @param url of the store that `load` makes */
  constructor(url: string, load: () => Promise<Store>) {
    this.url = url;
    this.#load = load;
  }

  async stat(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    return (await this.#store()).stat(key, signal);
  }

  async *read(key: string, options?: ReadOptions): AsyncGenerator<Uint8Array, void, undefined> {
    yield* (await this.#store()).read(key, options);
  }

  async write(
    key: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options?: WriteOptions,
  ): Promise<StoredObject> {
    return (await this.#store()).write(key, body, options);
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncGenerator<StoredObject, void, undefined> {
    yield* (await this.#store()).list(prefix, signal);
  }

  async remove(key: string, signal?: AbortSignal): Promise<void> {
    return (await this.#store()).remove(key, signal);
  }

  async *listUnfinished(prefix: string, signal?: AbortSignal): AsyncGenerator<UnfinishedWrite, void, undefined> {
    yield* (await this.#store()).listUnfinished?.(prefix, signal) ?? [];
  }

  async copyFrom(from: Store, object: StoredObject, options?: CopyFromOptions): Promise<CopiedObject | undefined> {
    const source = from instanceof DeferredStore ? await from.#store() : from;
    return (await this.#store()).copyFrom?.(source, object, options);
  }

  #store(): Promise<Store> {
    this.#loading ??= this.#load();
    return this.#loading;
  }
}
