/**
 * What a walk wants next of a stream of bytes: so many of them in one piece, or past so many. `mayEnd` says that the
 * stream may end instead.
 */
export type Want = { take: number; mayEnd?: boolean } | { skip: number };

/** A format's structure as a function that asks for bytes in their order. It gets those that it takes. */
export type Walk = Generator<Want, void, Buffer>;

const nothing = Buffer.alloc(0);

/** Leads a walk along a stream that comes in chunks of any size. What is skipped is not kept, nor looked at. */
export class ByteWalk {
  readonly #walk: Walk;
  #want: Want | undefined;
  #missingBytes = 0;
  #held: Buffer[] = [];

  constructor(walk: Walk) {
    this.#walk = walk;
    this.#advance(nothing);
  }

  /** Whether the stream may end here: the walk is over, or would be content. */
  get mayEnd(): boolean {
    if (this.#want === undefined) return true;
    return "take" in this.#want && this.#want.mayEnd === true && this.#missingBytes === this.#want.take;
  }

  /** @returns what follows the end of the walk @throws what the walk throws */
  push(chunk: Uint8Array): Buffer {
    let rest = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    while (rest.length > 0 && this.#want !== undefined) {
      const part = rest.subarray(0, this.#missingBytes);
      rest = rest.subarray(part.length);
      this.#missingBytes -= part.length;
      if ("take" in this.#want) this.#held.push(part);
      if (this.#missingBytes === 0) this.#advance(Buffer.concat(this.#held));
    }
    return rest;
  }

  #advance(taken: Buffer): void {
    this.#held = [];
    let next = this.#walk.next(taken);
    while (!next.done && "skip" in next.value && next.value.skip === 0) next = this.#walk.next(nothing);
    this.#want = next.done ? undefined : next.value;
    this.#missingBytes = next.done ? 0 : "take" in next.value ? next.value.take : next.value.skip;
  }
}
