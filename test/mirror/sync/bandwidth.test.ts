import { expect, test } from "vitest";
import { Bandwidth } from "../../../mirror/sync/bandwidth.ts";
import { sync } from "../../../mirror/sync/sync.ts";
import { gather } from "../gather.ts";
import { MemoryStore } from "./memory-store.ts";
import { putMirror, sampleVersion } from "./unsigned-mirror.ts";

/** Time passes only while somebody sleeps. */
function fakeClock() {
  const clock = {
    time: 0,
    now: () => clock.time,
    sleep: async (milliseconds: number) => {
      clock.time += milliseconds;
    },
  };
  return clock;
}

test("bytes go at once after a pause, and as fast as is allowed after each other", async () => {
  const clock = fakeClock();
  const bandwidth = new Bandwidth(1000, clock);
  await bandwidth.take(500);
  expect(clock.time).toBe(0);
  await bandwidth.take(1000);
  expect(clock.time).toBe(500);
  await bandwidth.take(1);
  expect(clock.time).toBe(1500);
  clock.time = 60_000;
  await bandwidth.take(1000);
  expect(clock.time).toBe(60_000);
});

test("several at once share it", async () => {
  const waits: number[] = [];
  const clock = { now: () => 0, sleep: async (milliseconds: number) => void waits.push(milliseconds) };
  const bandwidth = new Bandwidth(1000, clock);
  await Promise.all([1000, 500, 500].map((bytes) => bandwidth.take(bytes)));
  expect(waits).toEqual([1000, 1500]);
});

test("a sync takes as long as its files do at the limit", async () => {
  const [from, to] = [new MemoryStore(), new MemoryStore()];
  await putMirror(from, 1, { images: [sampleVersion("20261121.0"), sampleVersion("20261122.0")] });
  const files = (await gather(from.list("images/"))).filter(({ key }) => !key.endsWith("channels.json"));
  const sizes = files.map(({ sizeBytes }) => sizeBytes);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const clock = fakeClock();
  await sync(from, to, { emit: () => undefined, bytesPerSecond: 100, clock });
  // What was taken last has not been waited for.
  expect(clock.time).toBeGreaterThanOrEqual((total - Math.max(...sizes)) * 10);
});
