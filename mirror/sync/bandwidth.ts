import { setTimeout as delay } from "node:timers/promises";

/** What tells the time, and waits. */
export interface Clock {
  /** Milliseconds since any moment. */
  now(): number;
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

const machineClock: Clock = {
  now: () => performance.now(),
  sleep: (milliseconds, signal) => delay(milliseconds, undefined, signal ? { signal } : {}),
};

/** Shares out so many bytes a second among all who take of them. What was not taken in time is not made up for. */
export class Bandwidth {
  readonly #bytesPerSecond: number;
  readonly #clock: Clock;
  #freeAt = 0;

  constructor(bytesPerSecond: number, clock = machineClock) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#clock = clock;
  }

  /** Resolves when these bytes may go on: at once after a pause, later when others have just taken theirs. */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    const startsAt = Math.max(now, this.#freeAt);
    this.#freeAt = startsAt + (bytes / this.#bytesPerSecond) * 1000;
    if (startsAt > now) await this.#clock.sleep(startsAt - now, signal);
  }
}
