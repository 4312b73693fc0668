import { type Emit, note } from "../common/event.ts";
import { Failure } from "../common/failure.ts";
import type { Store, UnfinishedWrite } from "./store.ts";

export interface RemoveUnfinishedOptions {
  /** Of the keys. Default: all. */
  prefix?: string;
  dryRun?: boolean;
  now?: Date;
  emit: Emit;
  signal?: AbortSignal;
}

/** Longer than any write takes. */
const leastAgeMs = 86_400_000;

/**
 * Removes what writers left that were killed in the middle: parts of uploads, files that had not come to their end. Only
 * what was begun more than a day ago, since nobody can tell it from what is being written. What they are is told as
 * notes, and so are rights that are missing for it: nothing else depends on it.
 * @returns how many there were
 * @throws what a store throws, except `store-denied` and `store-error`
 */
export async function removeUnfinished(store: Store, options: RemoveUnfinishedOptions): Promise<number> {
  const { prefix = "", dryRun = false, now = new Date(), emit, signal } = options;
  const left: UnfinishedWrite[] = [];
  try {
    for await (const write of store.listUnfinished?.(prefix, signal) ?? []) {
      if (now.getTime() - write.startedAt.getTime() >= leastAgeMs) left.push(write);
    }
    for (const { name, startedAt, discard } of left) {
      if (!dryRun) await discard();
      const since = startedAt.toISOString().slice(0, 16).replace("T", " ");
      note(emit, `${dryRun ? "would remove" : "removed"} the unfinished write of ${name}, begun ${since} UTC`);
    }
  } catch (error) {
    const isLeft = error instanceof Failure && ["store-denied", "store-error"].includes(error.code);
    if (!isLeft) throw error;
    note(emit, `unfinished writes stay: ${error.message}${error.hint === undefined ? "" : `; ${error.hint}`}`);
  }
  return left.length;
}
