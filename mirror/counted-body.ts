import { asFailure } from "../common/failure.ts";

/**
 * A body on its way into a store: counted, ended by the signal, and with what it throws made a Failure, so that a store
 * doesn't take an error of the source for one of its own.
 */
export class CountedBody implements AsyncIterable<Uint8Array> {
  sizeBytes = 0;
  readonly #source: AsyncIterable<Uint8Array>;
  readonly #signal: AbortSignal | undefined;

  constructor(source: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#signal = signal;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of this.#source) {
        this.#signal?.throwIfAborted();
        this.sizeBytes += chunk.byteLength;
        yield chunk;
      }
    } catch (error) {
      throw asFailure(error, "reading what is to be written");
    }
  }
}
