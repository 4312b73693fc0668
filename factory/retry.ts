import { setTimeout as pause } from "node:timers/promises";
import { Failure } from "../common/failure.ts";

export interface RetryOptions {
  /** How often the work may fail in a row without getting any further. */
  attempts: number;
  /** Before the second attempt; each further pause is twice as long, to half a minute, and a little by chance. */
  pauseMs: number;
  /** Ends a pause. */
  signal: AbortSignal;
  /** How far the work has come; more than at the failure before makes that one forgotten. */
  progress?: () => number;
}

const longestPauseMs = 30_000;
/** A server that asks for more is asked in vain. */
const longestAskedPauseMs = 300_000;

/** Does the work again while it fails in a way that is worth it: with a Failure of the kind `retry`. */
export async function withRetries<T>(options: RetryOptions, work: () => Promise<T>): Promise<T> {
  const { attempts, pauseMs, signal, progress = () => 0 } = options;
  let failures = 0;
  let reached = progress();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== "retry") throw error;
      failures = progress() > reached ? 1 : failures + 1;
      reached = progress();
      const asked = typeof error.data.pauseMs === "number" ? error.data.pauseMs : 0;
      if (failures >= attempts || asked > longestAskedPauseMs) throw error;
      const grown = Math.min(longestPauseMs, pauseMs * 2 ** (failures - 1));
      // Many machines that lost the same server must not come back all at once.
      await pause(Math.max(asked, grown * (0.5 + Math.random() / 2)), undefined, { signal }).catch(() => {});
      if (signal.aborted) throw error;
    }
  }
}
