import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { z } from "zod";
import { Failure } from "../common/failure.ts";
import { readWhole } from "./read-whole.ts";
import type { Store } from "./store.ts";

const limitBytes = 64 * 2 ** 10;
const attemptsLimit = 5;

const lockSchema = z.looseObject({ owner: z.string(), host: z.string(), expires: z.iso.datetime() });
type Lock = z.infer<typeof lockSchema>;

/** Who holds a lock, for people. */
export interface LockHolder {
  host: string;
  /** ISO 8601. */
  expires: string;
}

export interface StoreLockOptions {
  /** Of the object that is the lock. */
  key: string;
  /** How long the lock of a process that was killed stands in the way. Default: 5 minutes. */
  lastsMs?: number;
  /** Default: this machine's clock. */
  now?: (() => Date) | undefined;
  signal?: AbortSignal | undefined;
  /** What to throw while another one holds it. */
  ifHeld: (holder: LockHolder) => Failure;
  /** What to throw where it could not be renewed in time, so that another one may have taken it. */
  ifLost: (cause: unknown) => Failure;
}

/**
 * Works while nobody else holds a lock: an object says who does, and until when. It is renewed as long as the work goes
 * on, and taken over once it has expired. Clocks may differ by less than it lasts.
 * @param store keeps conditions of writes, or comes close to it (guarded-write.ts)
 * @param work its signal ends it, also when the lock is lost
 * @throws Failure `ifHeld`, `ifLost`; what work and the store throw
 */
export async function withStoreLock<T>(
  store: Store,
  { key, lastsMs = 5 * 60_000, now = () => new Date(), signal, ifHeld, ifLost }: StoreLockOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const owner = randomUUID();
  const lost = new AbortController();
  const describe = (): Lock => ({
    owner,
    host: hostname(),
    expires: new Date(now().getTime() + lastsMs).toISOString(),
  });
  const take = async () => {
    for (let attempts = 1; ; attempts += 1) {
      const found = await readLock(store, key, signal);
      const other = found?.lock?.owner === owner ? undefined : found?.lock;
      if (other && new Date(other.expires) > now()) throw ifHeld(other);
      const lock = describe();
      try {
        const etag = await put(store, key, lock, found ? { ifMatch: found.etag, signal } : { ifAbsent: true, signal });
        return { etag, expires: lock.expires };
      } catch (error) {
        if (isLostRace(error) && attempts < attemptsLimit) continue;
        await release(store, key, owner).catch(() => undefined);
        throw error;
      }
    }
  };
  let held = await take();
  const renew = async () => {
    if (lost.signal.aborted) return;
    const lock = describe();
    try {
      held = { etag: await put(store, key, lock, { ifMatch: held.etag }), expires: lock.expires };
    } catch (error) {
      // An answer that was lost on its way looks like another writer.
      const mine = isLostRace(error) && (await readLock(store, key).catch(() => undefined));
      if (mine && mine.lock?.owner === owner) held = { etag: mine.etag, expires: mine.lock.expires };
      else if (isLostRace(error) || now() >= new Date(held.expires)) lost.abort(ifLost(error));
    }
  };
  let renewing = Promise.resolve();
  const timer = setInterval(() => {
    renewing = renewing.then(renew);
  }, lastsMs / 3);
  try {
    const result = await work(signal ? AbortSignal.any([signal, lost.signal]) : lost.signal);
    return result;
  } catch (error) {
    throw lost.signal.aborted ? lost.signal.reason : error;
  } finally {
    clearInterval(timer);
    await renewing;
    // Where it can't be removed, it expires.
    if (!lost.signal.aborted) await release(store, key, owner).catch(() => undefined);
  }
}

async function put(
  store: Store,
  key: string,
  lock: Lock,
  { signal, ...condition }: { ifAbsent?: true; ifMatch?: string; signal?: AbortSignal | undefined },
): Promise<string> {
  const bytes = Buffer.from(`${JSON.stringify(lock, null, 2)}\n`);
  const { etag } = await store.write(key, bytes, {
    ...condition,
    contentType: "application/json",
    ...(signal && { signal }),
  });
  return etag;
}

/** @returns without `lock` where it is not one: nobody of ours has written it */
async function readLock(
  store: Store,
  key: string,
  signal?: AbortSignal,
): Promise<{ etag: string; lock?: Lock } | undefined> {
  const found = await store.stat(key, signal);
  if (!found) return undefined;
  try {
    const bytes = await readWhole(store, key, { limitBytes, ifMatch: found.etag, ...(signal && { signal }) });
    return { etag: found.etag, lock: lockSchema.parse(JSON.parse(bytes.toString("utf8"))) };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return { etag: found.etag };
    // Replaced or removed between the two requests: as good as another writer, who is met at the write.
    if (isLostRace(error) || (error instanceof Failure && error.code === "object-missing")) return { etag: found.etag };
    throw error;
  }
}

async function release(store: Store, key: string, owner: string): Promise<void> {
  const found = await readLock(store, key);
  if (found?.lock?.owner === owner) await store.remove(key);
}

function isLostRace(error: unknown): boolean {
  return error instanceof Failure && (error.code === "object-changed" || error.code === "object-exists");
}
