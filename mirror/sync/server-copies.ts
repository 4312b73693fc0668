import { type Emit, note } from "../../common/event.ts";
import { Failure } from "../../common/failure.ts";
import { type RetryOptions, withRetries } from "../retry.ts";
import type { Store, StoredObject } from "../store.ts";
import { contentTypeOf } from "./content-type.ts";
import { hashMismatch } from "./copy-object.ts";
import { sourceChanged } from "./read-resumed.ts";
import type { ListedFile } from "./read-statement.ts";

type Retry = RetryOptions & { signal?: AbortSignal };

/** Lets the server that has both sides copy by itself, until it refuses to. */
export class ServerCopies {
  readonly #from: Store;
  readonly #to: Store;
  readonly #emit: Emit;
  #isRefused = false;
  #unproven = 0;

  constructor(from: Store, to: Store, emit: Emit) {
    this.#from = from;
    this.#to = to;
    this.#emit = emit;
  }

  /** How many objects were copied of which the server did not say what their SHA-256 is. */
  get unproven(): number {
    return this.#unproven;
  }

  /**
   * @param source what the source lists of it, where it has been listed
   * @returns false where there is no such server, or it does not do it
   * @throws Failure `file-hash-mismatch`, `source-changed` (integrity); what a store throws
   */
  async copy(file: ListedFile, source: StoredObject | undefined, retry: Retry): Promise<boolean> {
    const { key, sizeBytes, sha256 } = file;
    if (this.#isRefused || source?.sizeBytes !== sizeBytes) return false;
    const copied = await withRetries(() => this.#ask(source, retry.signal), retry);
    if (!copied) return false;
    if (copied.sha256 === undefined) {
      this.#unproven += 1;
    } else if (copied.sha256 !== sha256) {
      await withRetries(() => this.#to.remove(key, retry.signal), retry);
      throw hashMismatch(`${this.#from.url}/${key}`, sha256, copied.sha256);
    }
    return true;
  }

  async #ask(source: StoredObject, signal: AbortSignal | undefined) {
    const contentType = contentTypeOf(source.key);
    try {
      return await this.#to.copyFrom?.(this.#from, source, { contentType, ...(signal && { signal }) });
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const isChanged = error.code === "object-changed" || error.code === "object-missing";
      if (isChanged) throw sourceChanged(`copying ${this.#from.url}/${source.key}`, error);
      if (error.code !== "copy-refused") throw error;
      // Copies side by side are refused side by side.
      if (!this.#isRefused)
        note(this.#emit, `${error.message}; its bytes, and all others, come by way of this machine`);
      this.#isRefused = true;
      return undefined;
    }
  }
}
