import { zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { Failure } from "../../common/failure.ts";
import { DirectoryStore } from "../../mirror/directory-store.ts";
import { readShard } from "../../mirror/frames.ts";
import type { Manifest } from "../../mirror/manifest.ts";
import type { ReadOptions, Store } from "../../mirror/store.ts";
import { changedStore } from "./changed-store.ts";
import { collect, gather } from "./gather.ts";
import { makeSampleImage, sha256, temporaryDirectory } from "./sample-image.ts";

const directory = await temporaryDirectory();
afterAll(() => directory[Symbol.asyncDispose]());

const key = "image.tar.zst";
const { manifest, shards, archive } = makeSampleImage({
  frameSizes: [[700], [90_000, 90_000, 40_001, 1, 90_000, 5000, 7000, 300]],
});
const frames = manifest.frames.slice(1);
const store = new DirectoryStore(directory.path);
await store.write(key, archive);
const retryDelayMs = 1;

/** A server whose reads are what `serve` makes of the honest ones. */
function serving(
  serve: (honest: AsyncIterable<Uint8Array>, options: ReadOptions, call: number) => AsyncIterable<Uint8Array>,
) {
  const calls: ReadOptions[] = [];
  const served = changedStore(store, {
    read(readKey, options = {}) {
      calls.push(options);
      return serve(store.read(readKey, options), options, calls.length);
    },
  });
  return { served, calls };
}

const cut = () => new Failure({ code: "download-cut", kind: "retry", message: "cut" });

async function* cutAfter(body: AsyncIterable<Uint8Array>, bytes: number, withFailure = true) {
  let left = bytes;
  for await (const chunk of body) {
    yield chunk.subarray(0, left);
    left -= chunk.length;
    if (left > 0) continue;
    if (withFailure) throw cut();
    return;
  }
}

/** What came out before it failed, and how. */
async function readUntilFailure(from: Store, of: Manifest = manifest, shardIndex = 1) {
  const plain: Uint8Array[] = [];
  try {
    for await (const bytes of readShard(from, key, of, shardIndex, { retryDelayMs })) plain.push(bytes);
  } catch (failure) {
    return { plain: Buffer.concat(plain), failure };
  }
  return { plain: Buffer.concat(plain), failure: undefined };
}

test("every shard is read as it was packed, one chunk per frame, by one read", async () => {
  for (const [index, shard] of shards.entries()) {
    const { served, calls } = serving((honest) => honest);
    let packedBytes = 0;
    const onBytes = (count: number) => {
      packedBytes += count;
    };
    const chunks = await gather(readShard(served, key, manifest, index, { onBytes }));
    expect(Buffer.concat(chunks).equals(shard)).toBe(true);
    expect(chunks).toHaveLength(manifest.shards[index]?.frameCount ?? 0);
    const range = calls[0]?.range;
    expect(calls).toHaveLength(1);
    expect(packedBytes).toBe((range?.end ?? 0) - (range?.start ?? 0));
  }
});

test("the body may come in pieces of any size", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 60_000 }), { minLength: 1 }), async (sizes) => {
      async function* repacked(honest: AsyncIterable<Uint8Array>) {
        const whole = await collect(honest);
        for (let start = 0, turn = 0; start < whole.length; turn += 1) {
          const size = Math.max(500, sizes[turn % sizes.length] ?? 1);
          yield whole.subarray(start, start + size);
          start += size;
        }
      }
      const { plain } = await readUntilFailure(serving(repacked).served);
      expect(plain.equals(shards[1] ?? Buffer.of())).toBe(true);
    }),
    { numRuns: 20 },
  );
});

test("one flipped bit anywhere: only whole good frames before it come out", async () => {
  const first = frames[0]?.offset ?? 0;
  const flips = fc.record({ at: fc.integer({ min: 0, max: archive.length - first - 1 }), bit: fc.nat(7) });
  await fc.assert(
    fc.asyncProperty(flips, async ({ at, bit }) => {
      async function* tampered(honest: AsyncIterable<Uint8Array>) {
        const whole = await collect(honest);
        whole[at] = (whole[at] ?? 0) ^ (1 << bit);
        yield whole;
      }
      const { served, calls } = serving(tampered);
      const { plain, failure } = await readUntilFailure(served);
      expect(failure).toMatchObject({ code: "frame-hash-mismatch", kind: "integrity" });
      const good = frames.filter(({ offset, sizeBytes }) => offset + sizeBytes - first <= at);
      expect(plain).toHaveLength(good.reduce((total, { plainBytes }) => total + plainBytes, 0));
      expect(plain.equals((shards[1] ?? Buffer.of()).subarray(0, plain.length))).toBe(true);
      expect(calls).toHaveLength(1);
    }),
    { numRuns: 30 },
  );
});

test.each([
  ["decompresses to far more than it says", zstdCompressSync(Buffer.alloc(50 * 2 ** 20))],
  ["decompresses to one byte more", zstdCompressSync(Buffer.alloc(1001))],
  ["decompresses to less", zstdCompressSync(Buffer.alloc(999))],
  ["is no zstd at all", Buffer.from("it is no zstd at all")],
  ["is cut", zstdCompressSync(Buffer.alloc(1000)).subarray(0, -4)],
])("a frame that %s, vouched for by the manifest", async (_, bytes) => {
  const frame = { offset: 0, sizeBytes: bytes.length, plainBytes: 1000, sha256: sha256(bytes) };
  const files = [{ path: key, sizeBytes: bytes.length, sha256: sha256(bytes) }];
  await using elsewhere = await temporaryDirectory();
  const other = new DirectoryStore(elsewhere.path);
  await other.write(key, bytes);
  const { plain, failure } = await readUntilFailure(
    other,
    { ...manifest, files, frames: [frame], shards: manifest.shards.slice(0, 1) },
    0,
  );
  expect(failure).toMatchObject({ code: "frame-size-mismatch", kind: "integrity" });
  expect(plain).toHaveLength(0);
});

test.each([true, false])(
  "a download cut anywhere goes on at the frame where it broke (as a failure: %s)",
  async (withFailure) => {
    const length = archive.length - (frames[0]?.offset ?? 0);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: length - 1 }), async (bytes) => {
        const { served, calls } = serving((honest, _, call) =>
          call === 1 ? cutAfter(honest, bytes, withFailure) : honest,
        );
        const { plain, failure } = await readUntilFailure(served);
        expect(failure).toBeUndefined();
        expect(plain.equals(shards[1] ?? Buffer.of())).toBe(true);
        const brokenFrame = frames.find(
          ({ offset, sizeBytes }) => offset + sizeBytes - (frames[0]?.offset ?? 0) > bytes,
        );
        expect(calls[1]?.range?.start).toBe(brokenFrame?.offset);
        expect(calls[1]?.ifMatch).toBe(calls[0]?.ifMatch);
      }),
      { numRuns: 20 },
    );
  },
);

test("a line that breaks after every frame still gets through", async () => {
  const { served, calls } = serving((honest, { range }) => {
    const frame = frames.find(({ offset }) => offset === range?.start);
    return cutAfter(honest, frame?.sizeBytes ?? 0);
  });
  expect((await readUntilFailure(served)).plain.equals(shards[1] ?? Buffer.of())).toBe(true);
  expect(calls).toHaveLength(frames.length);
});

test("a line that breaks at the same place each time is given up", async () => {
  const { served, calls } = serving((honest) => cutAfter(honest, 10));
  const { plain, failure } = await readUntilFailure(served);
  expect(failure).toMatchObject({ code: "download-cut", kind: "retry" });
  expect(plain).toHaveLength(0);
  expect(calls).toHaveLength(12);
});

test("what no retry mends is not tried again", async () => {
  const denied = new Failure({ code: "store-denied", kind: "configuration", message: "denied" });
  const { served, calls } = serving(() => {
    throw denied;
  });
  expect((await readUntilFailure(served)).failure).toBe(denied);
  expect(calls).toHaveLength(1);
});

test("an endless body is left at the last frame, and closed", async () => {
  let closed = false;
  async function* endless(honest: AsyncIterable<Uint8Array>) {
    try {
      yield* honest;
      for (;;) yield Buffer.alloc(2 ** 16);
    } finally {
      closed = true;
    }
  }
  expect((await readUntilFailure(serving(endless).served)).plain.equals(shards[1] ?? Buffer.of())).toBe(true);
  expect(closed).toBe(true);
});

test("an archive replaced in mid-download is an integrity failure", async () => {
  await using elsewhere = await temporaryDirectory();
  const changing = new DirectoryStore(elsewhere.path);
  await changing.write(key, archive);
  const replaced = changedStore(changing, {
    async *read(readKey, options) {
      yield* cutAfter(changing.read(readKey, options), (frames[0]?.sizeBytes ?? 0) + 10, false);
      await changing.write(readKey, archive);
    },
  });
  const { plain, failure } = await readUntilFailure(replaced);
  expect(failure).toMatchObject({ code: "object-changed", kind: "integrity" });
  expect(plain).toHaveLength(frames[0]?.plainBytes ?? 0);
});

test("an archive of another length, and none at all", async () => {
  await using elsewhere = await temporaryDirectory();
  const other = new DirectoryStore(elsewhere.path);
  expect((await readUntilFailure(other)).failure).toMatchObject({ code: "object-missing" });
  await other.write(key, archive.subarray(1));
  expect((await readUntilFailure(other)).failure).toMatchObject({ code: "object-changed", kind: "integrity" });
});

test("a reader that leaves doesn't wait for a stalled server", async () => {
  const stalled = Promise.withResolvers<void>();
  const { served } = serving(async function* (honest, { signal }) {
    yield* cutAfter(honest, (frames[0]?.sizeBytes ?? 0) + 1, false);
    stalled.resolve();
    await new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  });
  for await (const bytes of readShard(served, key, manifest, 1)) {
    expect(bytes).toHaveLength(frames[0]?.plainBytes ?? 0);
    await stalled.promise;
    break;
  }
});

test("the signal interrupts a stalled download", async () => {
  const interrupt = new AbortController();
  const { served } = serving(async function* (_, { signal }) {
    yield Buffer.of(1);
    queueMicrotask(() => interrupt.abort());
    await new Promise((__, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  });
  const reading = collect(readShard(served, key, manifest, 1, { signal: interrupt.signal }));
  await expect(reading).rejects.toMatchObject({ code: "interrupted", kind: "interrupted" });
});

test("no more than a few frames are fetched ahead of a slow reader", async () => {
  let fetched = 0;
  const { served } = serving(async function* (honest) {
    const whole = await collect(honest);
    for (const { offset, sizeBytes } of frames) {
      fetched += 1;
      const start = offset - (frames[0]?.offset ?? 0);
      yield whole.subarray(start, start + sizeBytes);
    }
  });
  let read = 0;
  for await (const _ of readShard(served, key, manifest, 1)) {
    read += 1;
    // Whatever can be fetched without the reader is fetched by then.
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(fetched).toBeLessThanOrEqual(read + 4);
  }
  expect(read).toBe(frames.length);
});
