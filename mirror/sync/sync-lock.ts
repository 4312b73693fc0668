import { Failure } from "../../common/failure.ts";
import type { Store } from "../store.ts";
import { type LockHolder, withStoreLock } from "../store-lock.ts";

const lockKey = "locks/sync.json";

export interface SyncLockOptions {
  /** How long the lock of a run that was killed stands in the way. Default: 5 minutes. */
  lastsMs?: number;
  /** Default: this machine's clock. */
  now?: (() => Date) | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Works while no other run writes to the store, see store-lock.ts.
 * @param work its signal ends it, also when the lock is lost
 * @throws Failure `sync-running` (retry) while another run holds it, `lock-lost` (retry); what work and the store throw
 */
export async function withSyncLock<T>(
  store: Store,
  options: SyncLockOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const failures = {
    ifHeld: (holder: LockHolder) => syncRunning(store, holder),
    ifLost: (cause: unknown) => lockLost(store, cause),
  };
  return withStoreLock(store, { ...options, key: lockKey, ...failures }, work);
}

function syncRunning(store: Store, { host, expires }: LockHolder): Failure {
  return new Failure({
    code: "sync-running",
    kind: "retry",
    message: `syncing to ${store.url}: another run, on ${host}, holds ${lockKey} until ${expires}`,
    hint: "let it come to its end; the lock of a run that was killed expires by itself",
    data: { host, expires },
  });
}

function lockLost(store: Store, cause: unknown): Failure {
  return new Failure({
    code: "lock-lost",
    kind: "retry",
    message: `syncing to ${store.url}: ${lockKey} could not be renewed in time, another run may have begun`,
    hint: "check the network and the clocks of both machines, then run it again",
    cause,
  });
}
