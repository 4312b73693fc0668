/**
 * Takes what comes as soon as it comes, up to a limit, and gives it out in order; only then does it tell of a failure.
 * A web stream whose connection breaks forgets all that nobody had taken yet, and a download could not go on from it.
 */
export class EagerReader implements AsyncDisposable {
  readonly #take: () => Promise<Uint8Array | undefined>;
  readonly #leave: () => Promise<void>;
  readonly #limitBytes: number;
  readonly #held: Uint8Array[] = [];
  #heldBytes = 0;
  #left = false;
  #changed = Promise.withResolvers<void>();
  readonly #reading: Promise<void>;

  /**
   * @param take gives the next bytes, undefined at the end
   * @param leave ends what `take` waits for
   */
  constructor(
    take: () => Promise<Uint8Array | undefined>,
    leave: () => Promise<void>,
    limitBytes: number = 4 * 2 ** 20,
  ) {
    this.#take = take;
    this.#leave = leave;
    this.#limitBytes = limitBytes;
    this.#reading = this.#read().finally(() => {
      this.#left = true;
      this.#tell();
    });
    // Its failure is for whoever comes to the end of what was taken: nobody, where the reader has gone.
    this.#reading.catch(() => {});
  }

  async #read(): Promise<void> {
    for (let bytes = await this.#take(); bytes !== undefined && !this.#left; bytes = await this.#take()) {
      this.#held.push(bytes);
      this.#heldBytes += bytes.length;
      this.#tell();
      while (this.#heldBytes >= this.#limitBytes && !this.#left) await this.#changed.promise;
    }
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const bytes = this.#held.shift();
      if (bytes) {
        this.#heldBytes -= bytes.length;
        this.#tell();
        yield bytes;
      } else if (this.#left) {
        return this.#reading;
      } else {
        await this.#changed.promise;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#left = true;
    this.#tell();
    await this.#leave().catch(() => {});
  }
}
