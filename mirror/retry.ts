import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "../common/failure.ts";

export interface RetryOptions {
  signal?: AbortSignal;
  /** Before the first retry; doubles with each, up to 15 s. Default: 500. */
  retryDelayMs?: number;
  /** Told of every failure that is not the last, before the pause. */
  onRetry?: (failure: Failure, pauseMs: number) => void;
}

/**
 * How often in a row something may fail. Without a word from the server, the pauses come to a minute and a half, in
 * which a mirror has been started again.
 */
export const patientAttempts = 12;

const longestPauseMs = 15_000;

/** What a server may ask for. It says how long it needs, but is not to decide how long this takes. */
const longestAskedMs = 60_000;

/**
 * Waits before the next attempt, where there is to be one: of kind `retry`, and not the last. The pauses vary, so that
 * servers that were cut off together do not come back together. None is shorter than what the server has asked for, up
 * to a minute (`retryAfterMs` in the failure's data).
 * @param attempts how many have failed
 * @throws the error, where no other attempt is to be made; AbortError by the signal
 */
export async function waitForRetry(
  error: unknown,
  attempts: number,
  { signal, retryDelayMs = 500, onRetry, limit }: RetryOptions & { limit: number },
): Promise<void> {
  if (!(error instanceof Failure) || error.kind !== "retry" || attempts >= limit) throw error;
  const ownMs = Math.min(longestPauseMs, retryDelayMs * 2 ** (attempts - 1)) * (0.5 + Math.random() / 2);
  const { retryAfterMs } = error.data;
  const pauseMs = typeof retryAfterMs === "number" ? Math.min(longestAskedMs, retryAfterMs) + ownMs : ownMs;
  onRetry?.(error, pauseMs);
  await delay(pauseMs, undefined, signal ? { signal } : {});
}

/** Does it again where it fails with kind `retry`. @param limit of attempts. Default: 3, for before there is much to lose */
export async function withRetries<T>(
  work: () => Promise<T>,
  { limit = 3, ...options }: RetryOptions & { limit?: number } = {},
): Promise<T> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await work();
    } catch (error) {
      await waitForRetry(error, attempts, { ...options, limit });
    }
  }
}
