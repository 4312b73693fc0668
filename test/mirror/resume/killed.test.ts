import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import fc from "fast-check";
import { afterAll, describe, expect, test, vi } from "vitest";
import { run } from "../../../common/run.ts";
import { openStore } from "../../../mirror/open-store.ts";
import { publish } from "../../../mirror/publish.ts";
import type { Store } from "../../../mirror/store.ts";
import { sync } from "../../../mirror/sync/sync.ts";
import type { Asked } from "../../lab/fault-proxy.ts";
import { startFaultyS3 } from "../faults/faulty-s3.ts";
import { collect } from "../gather.ts";
import { type SampleImage, sha256, temporaryDirectory, writeSampleImage } from "../sample-image.ts";
import { putMirror, readEverything, versionPrefix } from "../sync/unsigned-mirror.ts";
import { makeLargeImage } from "./large-image.ts";
import type { StorePlace, Work } from "./work-in-child.ts";

const s3 = await startFaultyS3();
afterAll(() => s3[Symbol.asyncDispose]());
const emit = () => undefined;
const mebibyte = 2 ** 20;
const version = "20261123.0";
const archiveOf = (image: SampleImage) => `${versionPrefix(image)}image.tar.zst`;
/** When the lock of a sync that was killed has expired. */
const later = () => new Date(Date.now() + 600_000);

/** Works in a process of its own, which is killed by SIGKILL when the signal says so. */
async function workUntilKilled(work: Work, kill: AbortSignal): Promise<void> {
  const script = fileURLToPath(new URL("./work-in-child.ts", import.meta.url));
  const child = run(process.execPath, [script, JSON.stringify(work)], {
    doing: "working until it is killed",
    signal: kill,
    killSignal: "SIGKILL",
  });
  await expect(child).rejects.toMatchObject({ kind: "interrupted" });
}

/** A bucket behind the proxy, which counts the bytes of parts that pass, and tells when so many have. */
async function openCounted(partBytes: number) {
  const opened = await s3.open({ partBytes });
  const { proxy, url } = opened;
  const place: StorePlace = { url, s3: { endpoint: proxy.url, credentials: s3.credentials, partBytes } };
  const takeBytes = (killAt = Number.POSITIVE_INFINITY) => {
    const count = { sent: 0 };
    const kill = new AbortController();
    const onSent = (bytes: number) => {
      count.sent += bytes;
      if (count.sent >= killAt) kill.abort();
    };
    proxy.rule = ({ action }) => (action === "UploadPart" ? { onSent } : undefined);
    return { count, kill: kill.signal };
  };
  return { ...opened, place, takeBytes };
}

async function expectArchive(store: Store, image: SampleImage): Promise<void> {
  expect(sha256(await collect(store.read(archiveOf(image))))).toBe(image.manifest.files[0]?.sha256);
}

/** How a large archive comes into a bucket. */
const ways: [string, (image: SampleImage, to: StorePlace) => Promise<Way>][] = [
  [
    "a publish",
    async (image, to) => {
      const directory = await temporaryDirectory();
      await writeSampleImage(directory.path, image);
      return {
        work: { verb: "publish", from: directory.path, to },
        again: (store) => publish(store, directory.path, { emit }),
        stop: () => directory[Symbol.asyncDispose](),
      };
    },
  ],
  [
    "a sync from a directory",
    async (image, to) => {
      const directory = await temporaryDirectory();
      const from = { url: pathToFileURL(directory.path).href };
      await putMirror(openStore(from.url), 1, { images: [image] });
      return {
        work: { verb: "sync", from, to },
        again: (store) => sync(openStore(from.url), store, { emit, now: later }),
        stop: () => directory[Symbol.asyncDispose](),
      };
    },
  ],
  [
    "a sync from another server",
    async (image, to) => {
      const { endpoint, credentials } = s3;
      // Not by the proxy, and so no server that could copy by itself.
      const { url, store: from } = await s3.open();
      await putMirror(from, 1, { images: [image] });
      return {
        work: { verb: "sync", from: { url, s3: { endpoint, credentials } }, to },
        again: (store) => sync(from, store, { emit, now: later }),
        stop: async () => undefined,
      };
    },
  ],
];

interface Way {
  work: Work;
  again: (store: Store) => Promise<unknown>;
  stop: () => PromiseLike<void>;
}

describe("into a bucket: killed in the middle of a large object, a rerun sends the rest", () => {
  test.each(ways)("%s of 68 MiB", { timeout: 600_000 }, async (_, prepare) => {
    const partBytes = 16 * mebibyte;
    const image = makeLargeImage(version, 68 * mebibyte);
    const { place, store, faulty, takeBytes } = await openCounted(partBytes);
    const way = await prepare(image, place);
    const first = takeBytes(45 * mebibyte);
    await workUntilKilled(way.work, first.kill);
    expect(await store.stat(archiveOf(image))).toBeUndefined();
    const second = takeBytes();
    await way.again(faulty);
    await way.stop();
    await expectArchive(store, image);
    expect(first.count.sent + second.count.sent - image.archive.byteLength).toBeLessThanOrEqual(2 * partBytes);
    expect(second.count.sent).toBeLessThan(image.archive.byteLength - partBytes);
  });

  test("a publish, at any byte", { timeout: 600_000 }, async () => {
    const partBytes = 5 * mebibyte;
    const sizeBytes = 23 * mebibyte + 11;
    const image = makeLargeImage(version, sizeBytes);
    const [, prepare] = ways[0] ?? expect.unreachable();
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: sizeBytes }), async (killAt) => {
        const { place, store, faulty, takeBytes } = await openCounted(partBytes);
        const way = await prepare(image, place);
        const first = takeBytes(killAt);
        await workUntilKilled(way.work, first.kill);
        const second = takeBytes();
        await way.again(faulty);
        await way.stop();
        await expectArchive(store, image);
        expect(first.count.sent + second.count.sent - sizeBytes).toBeLessThanOrEqual(2 * partBytes);
      }),
      { numRuns: 3, seed: 20261130 },
    );
  });
});

describe("into a directory: killed in the middle of a large object, a rerun reads the rest", () => {
  const isArchive = ({ path, action }: Asked) => path.endsWith(".zst") && action === "GetObject";

  /** What a sync reads of the archive, from where on. */
  const rangesOf = (asked: readonly Asked[]) => asked.filter(isArchive).map(({ headers }) => headers.range);

  test("at any byte", { timeout: 600_000 }, async () => {
    const sizeBytes = 66 * mebibyte;
    const image = makeLargeImage(version, sizeBytes);
    const { url, store, proxy, faulty } = await s3.open();
    await putMirror(store, 1, { images: [image] });
    const from = { url, s3: { endpoint: proxy.url, credentials: s3.credentials } };
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: sizeBytes - 1 }), async (killAt) => {
        await using directory = await temporaryDirectory();
        const to = { url: pathToFileURL(directory.path).href };
        const kill = new AbortController();
        proxy.rule = (asked) => (isArchive(asked) ? { stallAfter: killAt } : undefined);
        const killed = workUntilKilled({ verb: "sync", from, to }, kill.signal);
        await vi.waitFor(async () => expect(await unfinishedBytes(directory.path)).toEqual([killAt]), 120_000);
        kill.abort();
        await killed;
        proxy.rule = () => undefined;
        const before = proxy.asked.length;
        const summary = await sync(faulty, openStore(to.url), { emit, now: later });
        expect(rangesOf(proxy.asked.slice(before))).toEqual([`bytes=${killAt}-${sizeBytes - 1}`]);
        expect(summary.reusedBytes).toBe(killAt);
        expect(await readEverything(openStore(to.url))).toBe(1);
        expect(await unfinishedBytes(directory.path)).toEqual([]);
      }),
      { numRuns: 2, seed: 20261130 },
    );
  });

  /** The sizes of files that are no objects yet. */
  async function unfinishedBytes(root: string): Promise<number[]> {
    const directory = join(root, ".metalcast");
    const names = (await readdir(directory).catch(() => [])).filter((name) => name.endsWith(".part"));
    return Promise.all(names.map(async (name) => (await stat(join(directory, name))).size));
  }
});
