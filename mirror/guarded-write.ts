import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "../common/failure.ts";
import { formatDuration } from "../common/units.ts";
import type { Store, StoredObject, WriteOptions } from "./store.ts";
import { withStoreLock } from "./store-lock.ts";

/** A store that keeps no conditions of writes. */
export interface UnconditionalStore {
  store: Store;
  /** Of the same server, for the locks: no object of the store. */
  locks: Store;
  /** How long another writer's request may be on its way. */
  settleMs: number;
}

/** How long the lock of a writer that was killed stands in the way of the same object. */
const lastsMs = 60_000;

/**
 * A write on condition where the server keeps none: while a lock is held that belongs to the key, the condition is
 * looked at, the object written without it, and looked at once more. Other writers of the object wait. Less well
 * guarded than by the server: who takes longer for a single request than the time to settle can still be overwritten,
 * and then learns of it.
 * @throws Failure `object-exists`, `object-changed` (failed); `lock-lost`, `store-slow` (retry); what the store throws
 */
export async function writeGuarded(
  { store, locks, settleMs }: UnconditionalStore,
  key: string,
  body: Uint8Array | AsyncIterable<Uint8Array>,
  { ifAbsent, ifMatch, ...options }: WriteOptions,
): Promise<StoredObject> {
  const doing = `writing ${store.url}/${key}`;
  const condition = { ...(ifAbsent && { ifAbsent }), ...(ifMatch !== undefined && { ifMatch }) };
  const failures = {
    ifHeld: () => new Failure({ code: heldCode, kind: "retry", message: `${doing}: another writer is at it` }),
    ifLost: (cause: unknown) => lockLost(doing, cause),
  };
  const lock = { key, lastsMs, signal: options.signal, ...failures };
  for (;;) {
    try {
      return await withStoreLock(settling(locks, settleMs), lock, (signal) =>
        writeBetweenLooks(store, key, body, { ...options, ...condition, signal }),
      );
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== heldCode) throw error;
      await delay(settleMs * (0.5 + Math.random()), undefined, options.signal ? { signal: options.signal } : {});
    }
  }
}

const heldCode = "write-held";

/** The same store, as one that keeps conditions: nearly, which is enough for a lock that is written by few. */
function settling(store: Store, settleMs: number): Store {
  return {
    url: store.url,
    stat: (...args) => store.stat(...args),
    read: (...args) => store.read(...args),
    list: (...args) => store.list(...args),
    remove: (...args) => store.remove(...args),
    async write(key, body, options = {}) {
      const startedAt = performance.now();
      await look(store, key, options);
      const { ifAbsent: _, ifMatch: __, ...plain } = options;
      const written = await store.write(key, body, plain);
      // Others look, and then write, in less than the time to settle as well: so all that did is there after it.
      const tookMs = performance.now() - startedAt;
      if (tookMs > settleMs) throw storeSlow(`writing ${store.url}/${key}`, tookMs, settleMs);
      await delay(settleMs, undefined, options.signal ? { signal: options.signal } : {});
      await expectSame(store, written, options.signal);
      return written;
    },
  };
}

async function writeBetweenLooks(
  store: Store,
  key: string,
  body: Uint8Array | AsyncIterable<Uint8Array>,
  { ifAbsent, ifMatch, ...options }: WriteOptions,
): Promise<StoredObject> {
  await look(store, key, { ...options, ...(ifAbsent && { ifAbsent }), ...(ifMatch !== undefined && { ifMatch }) });
  const written = await store.write(key, body, options);
  await expectSame(store, written, options.signal);
  return written;
}

async function look(store: Store, key: string, { ifAbsent, ifMatch, signal }: WriteOptions): Promise<void> {
  const doing = `writing ${store.url}/${key}`;
  const found = await store.stat(key, signal);
  if (ifAbsent && found) throw raced("object-exists", doing);
  if (ifMatch !== undefined && found?.etag !== ifMatch) throw raced("object-changed", doing);
}

async function expectSame(store: Store, { key, etag }: StoredObject, signal?: AbortSignal): Promise<void> {
  const found = await store.stat(key, signal);
  if (found?.etag !== etag) throw raced("object-changed", `writing ${store.url}/${key}`);
}

function raced(code: "object-exists" | "object-changed", doing: string): Failure {
  const says = code === "object-exists" ? "there is such an object already" : "another writer was faster";
  return new Failure({ code, kind: "failed", message: `${doing}: ${says}` });
}

function storeSlow(doing: string, tookMs: number, settleMs: number): Failure {
  const [took, settle] = [tookMs, settleMs].map(formatDuration);
  return new Failure({
    code: "store-slow",
    kind: "retry",
    message: `${doing}: the server took ${took} for a lock, which is safe up to ${settle}`,
    hint: "run it again when the server or the network has less to do",
  });
}

function lockLost(doing: string, cause: unknown): Failure {
  return new Failure({
    code: "lock-lost",
    kind: "retry",
    message: `${doing}: its lock could not be renewed in time, another writer may have begun`,
    hint: "check the network and the clocks of both machines, then run it again",
    cause,
  });
}
