/**
 * Lets one thread at a time do something. The kernel writes to a file for one thread at a time and lets the others spin;
 * those that wait here sleep.
 */
export class Turn {
  readonly #taken: Int32Array;

  /** @param shared four bytes of zeros, the same for all threads */
  constructor(shared: SharedArrayBuffer) {
    this.#taken = new Int32Array(shared);
  }

  static share(): SharedArrayBuffer {
    return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  }

  /** Waits for the turn, then calls `action`. */
  run(action: () => void): void {
    while (Atomics.compareExchange(this.#taken, 0, 0, 1) !== 0) Atomics.wait(this.#taken, 0, 1);
    try {
      action();
    } finally {
      Atomics.store(this.#taken, 0, 0);
      Atomics.notify(this.#taken, 0, 1);
    }
  }
}
