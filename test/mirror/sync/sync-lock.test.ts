import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Store } from "../../../mirror/store.ts";
import { withSyncLock } from "../../../mirror/sync/sync-lock.ts";
import { changedStore } from "../changed-store.ts";
import { collect } from "../gather.ts";
import { MemoryStore } from "./memory-store.ts";

const key = "locks/sync.json";
const readLock = async (store: Store) => JSON.parse((await collect(store.read(key))).toString());

test("it is there while the work goes on, tells whose it is, and goes with it", async () => {
  const store = new MemoryStore();
  const now = () => new Date("2026-11-24T03:00:00Z");
  const result = await withSyncLock(store, { now, lastsMs: 60_000 }, async () => {
    expect(await readLock(store)).toMatchObject({ host: expect.any(String), expires: "2026-11-24T03:01:00.000Z" });
    await expect(withSyncLock(store, { now }, async () => 2)).rejects.toMatchObject({
      code: "sync-running",
      kind: "retry",
      data: { expires: "2026-11-24T03:01:00.000Z" },
    });
    return 1;
  });
  expect(result).toBe(1);
  expect(await store.stat(key)).toBeUndefined();
  await expect(withSyncLock(store, {}, () => Promise.reject(new Error("mine")))).rejects.toThrow("mine");
  expect(await store.stat(key)).toBeUndefined();
});

test.each([
  ["that has expired", JSON.stringify({ owner: "o", host: "h", expires: "2026-11-24T02:59:59Z" })],
  ["that is none", "{"],
])("a lock %s is taken over", async (_, text) => {
  const store = new MemoryStore();
  await store.write(key, Buffer.from(text));
  const now = () => new Date("2026-11-24T03:00:00Z");
  await withSyncLock(store, { now }, async () => expect((await readLock(store)).owner).not.toBe("o"));
  expect(await store.stat(key)).toBeUndefined();
});

test("of eight runs at once one works, the others are told to come again", async () => {
  const store = new MemoryStore();
  await store.write(key, Buffer.from(JSON.stringify({ owner: "o", host: "h", expires: "2020-01-01T00:00:00Z" })));
  let working = 0;
  const runs = Array.from({ length: 8 }, () =>
    withSyncLock(store, {}, async () => {
      working += 1;
      expect(working).toBe(1);
      await settled.promise;
    }),
  );
  const settled = Promise.withResolvers<void>();
  let refused = 0;
  for (const run of runs) {
    run.catch(() => {
      refused += 1;
      if (refused === 7) settled.resolve();
    });
  }
  const outcomes = await Promise.allSettled(runs);
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ kind: "retry" });
  }
});

/** Waits until the lock is another one than before. */
async function untilRenewed(store: Store, former: string): Promise<void> {
  while ((await readLock(store)).expires === former) await delay(10);
}

test("it is renewed as long as the work goes on", async () => {
  const store = new MemoryStore();
  await withSyncLock(store, { lastsMs: 600 }, async () => {
    const { expires, owner } = await readLock(store);
    await untilRenewed(store, expires);
    expect((await readLock(store)).owner).toBe(owner);
    await untilRenewed(store, (await readLock(store)).expires);
  });
  expect(await store.stat(key)).toBeUndefined();
});

test("the work ends when the lock is lost to another run, and that one's stays", async () => {
  const store = new MemoryStore();
  const working = withSyncLock(store, { lastsMs: 300 }, async (signal) => {
    await store.write(key, Buffer.from(JSON.stringify({ owner: "o", host: "h", expires: "2099-01-01T00:00:00Z" })));
    await delay(30_000, undefined, { signal });
  });
  await expect(working).rejects.toMatchObject({ code: "lock-lost", kind: "retry" });
  expect(await readLock(store)).toMatchObject({ owner: "o" });
});

test("a renewal whose answer was lost is no loss; a store that is away is one only once the lock has expired", async () => {
  const store = new MemoryStore();
  let renewals = 0;
  let away = false;
  const flaky = changedStore(store, {
    async write(key, body, options) {
      if (away) throw new Error("away");
      const written = await store.write(key, body, options);
      renewals += 1;
      // Its tag is another one than that of what lies there now.
      return renewals === 2 ? { ...written, etag: "lost" } : written;
    },
  });
  let time = new Date("2026-11-24T03:00:00Z").getTime();
  const now = () => new Date(time);
  const working = withSyncLock(flaky, { lastsMs: 300, now }, async (signal) => {
    while (renewals < 3) await delay(10, undefined, { signal });
    await expect(delay(250, undefined, { signal })).resolves.toBeUndefined();
    away = true;
    await expect(delay(250, undefined, { signal })).resolves.toBeUndefined();
    time += 1000;
    await delay(30_000, undefined, { signal });
  });
  await expect(working).rejects.toMatchObject({ code: "lock-lost" });
});
