import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { z } from "zod";
import { Failure } from "../../common/failure.ts";
import { readWhole } from "../read-whole.ts";
import type { Store } from "../store.ts";

const lockKey = "locks/sync.json";
const limitBytes = 64 * 2 ** 10;
const attemptsLimit = 5;

const lockSchema = z.looseObject({ owner: z.string(), host: z.string(), expires: z.iso.datetime() });
type Lock = z.infer<typeof lockSchema>;

export interface SyncLockOptions {
  /** How long the lock of a run that was killed stands in the way. Default: 5 minutes. */
  lastsMs?: number;
  /** Default: this machine's clock. */
  now?: (() => Date) | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Works while no other run writes to the store: an object says who does, and until when. It is renewed as long as the
 * work goes on, and taken over once it has expired. Clocks may differ by less than it lasts.
 * @param work its signal ends it, also when the lock is lost
 * @throws Failure `sync-running` (retry) while another run holds it, `lock-lost` (retry); what work and the store throw
 */
export async function withSyncLock<T>(
  store: Store,
  { lastsMs = 5 * 60_000, now = () => new Date(), signal }: SyncLockOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const owner = randomUUID();
  const lost = new AbortController();
  const describe = (): Lock => ({
    owner,
    host: hostname(),
    expires: new Date(now().getTime() + lastsMs).toISOString(),
  });
  let held = await take(store, describe, now, signal);
  const renew = async () => {
    if (lost.signal.aborted) return;
    const lock = describe();
    try {
      held = { etag: await put(store, lock, { ifMatch: held.etag }), expires: lock.expires };
    } catch (error) {
      // An answer that was lost on its way looks like another writer.
      const mine = isLostRace(error) && (await readLock(store).catch(() => undefined));
      if (mine && mine.lock?.owner === owner) held = { etag: mine.etag, expires: mine.lock.expires };
      else if (isLostRace(error) || now() >= new Date(held.expires)) lost.abort(lockLost(store, error));
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
    if (!lost.signal.aborted) await release(store, owner).catch(() => undefined);
  }
}

async function take(store: Store, describe: () => Lock, now: () => Date, signal: AbortSignal | undefined) {
  for (let attempts = 1; ; attempts += 1) {
    const found = await readLock(store, signal);
    if (found?.lock && new Date(found.lock.expires) > now()) throw syncRunning(store, found.lock);
    const lock = describe();
    try {
      const etag = await put(store, lock, found ? { ifMatch: found.etag, signal } : { ifAbsent: true, signal });
      return { etag, expires: lock.expires };
    } catch (error) {
      if (!isLostRace(error) || attempts >= attemptsLimit) throw error;
    }
  }
}

async function put(
  store: Store,
  lock: Lock,
  { signal, ...condition }: { ifAbsent?: true; ifMatch?: string; signal?: AbortSignal | undefined },
): Promise<string> {
  const bytes = Buffer.from(`${JSON.stringify(lock, null, 2)}\n`);
  const { etag } = await store.write(lockKey, bytes, {
    ...condition,
    contentType: "application/json",
    ...(signal && { signal }),
  });
  return etag;
}

/** @returns without `lock` where it is not one: nobody of ours has written it */
async function readLock(store: Store, signal?: AbortSignal): Promise<{ etag: string; lock?: Lock } | undefined> {
  const found = await store.stat(lockKey, signal);
  if (!found) return undefined;
  try {
    const bytes = await readWhole(store, lockKey, { limitBytes, ifMatch: found.etag, ...(signal && { signal }) });
    return { etag: found.etag, lock: lockSchema.parse(JSON.parse(bytes.toString("utf8"))) };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return { etag: found.etag };
    // Replaced or removed between the two requests: as good as another writer, who is met at the write.
    if (isLostRace(error) || (error instanceof Failure && error.code === "object-missing")) return { etag: found.etag };
    throw error;
  }
}

async function release(store: Store, owner: string): Promise<void> {
  const found = await readLock(store);
  if (found?.lock?.owner === owner) await store.remove(lockKey);
}

function isLostRace(error: unknown): boolean {
  return error instanceof Failure && (error.code === "object-changed" || error.code === "object-exists");
}

function syncRunning(store: Store, { host, expires }: Lock): Failure {
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
