import { createServer } from "node:http";
import { describe, expect, test } from "vitest";
import { Failure } from "../../../common/failure.ts";
import { DirectoryStore } from "../../../mirror/directory-store.ts";
import { openStore } from "../../../mirror/open-store.ts";
import type { ReadOptions, Store } from "../../../mirror/store.ts";
import { sync } from "../../../mirror/sync/sync.ts";
import { changedStore } from "../changed-store.ts";
import { collect } from "../gather.ts";
import { temporaryDirectory } from "../sample-image.ts";
import { serveDirectory } from "../serve-directory.ts";
import { MemoryStore } from "./memory-store.ts";
import { stoppingAt } from "./stopping-at.ts";
import {
  contents,
  keysOf,
  putMirror,
  putStatement,
  putVersion,
  readEverything,
  sampleVersion,
  versionPrefix,
} from "./unsigned-mirror.ts";

const emit = () => undefined;
const options = { emit, retryDelayMs: 1 };
const first = sampleVersion("20261121.0");
const second = sampleVersion("20261122.0");
const third = sampleVersion("20261123.0");
const archiveOf = (image: typeof first) => `${versionPrefix(image)}image.tar.zst`;
const tomorrow = () => new Date(Date.now() + 86_400_000);

const newStore = (): Store => new MemoryStore();

async function newMirror(number: number, images: (typeof first)[], store = newStore()): Promise<Store> {
  await putMirror(store, number, { images });
  return store;
}

/** The next statement of a mirror, which forgets the one before and what only that one led to. */
async function moveOn(store: Store, number: number, images: (typeof first)[]): Promise<void> {
  const old = (await keysOf(store)).filter((key) => /channels\.json$|^metadata\/\d+\.(?!root)/.test(key));
  await putMirror(store, number, { images, roots: number });
  const prefixes = images.map(versionPrefix);
  const isGone = (key: string) => /\/\d{8}\./.test(key) && !prefixes.some((prefix) => key.startsWith(prefix));
  for (const key of [...old, ...(await keysOf(store)).filter(isGone)]) await store.remove(key);
}

test("stopped before any change: readers have what the pointer names, and a rerun finishes without doing it again", async () => {
  let finished = false;
  let moment = 0;
  const seen = new Set<number>();
  for (; !finished; moment += 1) {
    const from = await newMirror(1, [first, second]);
    const to = newStore();
    await sync(from, to, options);
    await moveOn(from, 2, [second, third]);
    finished = await sync(from, stoppingAt(to, moment), { ...options, delete: true }).then(
      () => true,
      (error: unknown) => {
        expect(error).toMatchObject({ message: expect.stringMatching(/stopped$/) });
        return false;
      },
    );
    seen.add(await readEverything(to));
    const before = new Set(await keysOf(to));
    const { watching, read } = watched(from);
    await sync(watching, to, { ...options, delete: true, now: tomorrow });
    expect(read.filter((key) => key.endsWith(".zst") && before.has(key))).toEqual([]);
    await sync(from, to, { ...options, delete: true });
    expect(await readEverything(to)).toBe(2);
    expect(await contents(to)).toEqual(await contents(from));
  }
  expect(seen).toEqual(new Set([1, 2]));
  expect(moment).toBeGreaterThan(12);
});

function watched(store: Store) {
  const read: string[] = [];
  const ranges: ReadOptions[] = [];
  const watching = changedStore(store, {
    read(key, readOptions = {}) {
      read.push(key);
      if (key.endsWith(".zst")) ranges.push(readOptions);
      return store.read(key, readOptions);
    },
  });
  return { watching, read, ranges };
}

describe("what is wrong with the source is refused, and readers keep what they have", () => {
  const keyLike = async (store: Store, pattern: RegExp) =>
    (await keysOf(store)).find((key) => pattern.test(key)) ?? expect.unreachable();

  test.each([
    ["file-hash-mismatch", /20261122.*tar\.zst$/],
    ["checksums-mismatch", /20261122.*SHA256SUMS$/],
    ["manifest-hash-mismatch", /20261122.*manifest\.json$/],
    ["metadata-mixed", /channels\.json$/],
    ["metadata-mixed", /2\.debian-12\.json$/],
    ["metadata-mixed", /2\.snapshot\.json$/],
    ["metadata-invalid", /timestamp\.json$/],
    ["metadata-invalid", /2\.root\.json$/],
  ])("%s: other bytes in %s", async (code, pattern) => {
    const from = await newMirror(1, [first]);
    const to = newStore();
    await sync(from, to, options);
    await moveOn(from, 2, [first, second]);
    const key = await keyLike(from, pattern);
    const bytes = await collect(from.read(key));
    await from.write(key, bytes.fill("x", 10, 11));
    await expect(sync(from, to, options)).rejects.toMatchObject({ code, kind: "integrity" });
    expect(await readEverything(to)).toBe(1);
    expect(await keysOf(to)).not.toContain(key.includes("timestamp") ? "metadata/2.snapshot.json" : key);
  });

  test.each([
    ["source-changed", /20261122.*tar\.zst$/],
    ["source-changed", /20261122.*manifest\.json$/],
    ["metadata-missing", /channels\.json$/],
    ["metadata-missing", /2\.targets\.json$/],
  ])("%s: without %s", async (code, pattern) => {
    const from = await newMirror(1, [first]);
    const to = newStore();
    await sync(from, to, options);
    await moveOn(from, 2, [first, second]);
    await from.remove(await keyLike(from, pattern));
    await expect(sync(from, to, options)).rejects.toMatchObject({ code, kind: "integrity" });
    expect(await readEverything(to)).toBe(1);
  });

  test("an archive that is shorter or longer than it should be never becomes an object", async () => {
    const from = await newMirror(1, [first]);
    const whole = await collect(from.read(archiveOf(first)));
    for (const bytes of [whole.subarray(1), Buffer.concat([whole, whole])]) {
      await from.write(archiveOf(first), bytes);
      const to = newStore();
      await expect(sync(from, to, options)).rejects.toMatchObject({ code: "file-size-mismatch", kind: "integrity" });
      expect(await keysOf(to)).not.toContain(archiveOf(first));
    }
  });

  test("a manifest at the target that is another one is replaced, even where its size is the same", async () => {
    const from = await newMirror(1, [first]);
    const to = newStore();
    const key = `${versionPrefix(first)}manifest.json`;
    await to.write(key, (await collect(from.read(key))).fill(" "));
    await sync(from, to, options);
    expect(await contents(to)).toEqual(await contents(from));
  });

  test("an older source, another mirror, and another root are refused before anything is written", async () => {
    const to = await newMirror(5, [first]);
    const before = await contents(to);
    const older = await newMirror(4, [first, second]);
    await expect(sync(older, to, options)).rejects.toMatchObject({ code: "mirror-older", kind: "refused" });
    const other = await newMirror(5, [second]);
    await expect(sync(other, to, options)).rejects.toMatchObject({ code: "mirror-differs", kind: "refused" });
    const otherRoot = await newMirror(6, [first]);
    await otherRoot.write(
      "metadata/1.root.json",
      Buffer.from(JSON.stringify({ signed: { _type: "root", version: 1 } })),
    );
    await expect(sync(otherRoot, to, options)).rejects.toMatchObject({ code: "root-differs", kind: "refused" });
    expect(await contents(to)).toEqual(before);
  });
});

describe("the source changes meanwhile", () => {
  /** Does something once, before the first read of such a key. */
  function whenRead(store: Store, pattern: RegExp, work: () => Promise<void>): Store {
    let done = false;
    return changedStore(store, {
      async *read(key, readOptions) {
        if (!done && pattern.test(key)) {
          done = true;
          await work();
        }
        yield* store.read(key, readOptions);
      },
    });
  }

  test.each([
    ["the metadata that its pointer leads to is replaced", /1\.snapshot\.json$/],
    ["an image's role is replaced", /1\.debian-12\.json$/],
    ["a version is pruned before its manifest is read", /20261121.*manifest\.json$/],
    ["a version is pruned before its archive is read", /20261121.*tar\.zst$/],
  ])("%s: what it says now is copied", async (_, pattern) => {
    const from = await newMirror(1, [first, second]);
    const to = newStore();
    const changing = whenRead(from, pattern, () => moveOn(from, 2, [second, third]));
    const summary = await sync(changing, to, options);
    expect(summary.version).toBe(2);
    expect(await readEverything(to)).toBe(2);
    expect(summary.copied.objects + summary.skipped.objects).toBeGreaterThanOrEqual((await keysOf(from)).length);
  });

  test("a version that the target has lost is pruned before it is read: what the source says now is copied", async () => {
    const from = await newMirror(1, [first, second]);
    const to = newStore();
    await sync(from, to, options);
    for (const key of await keysOf(to, versionPrefix(first))) await to.remove(key);
    const changing = whenRead(from, /20261121.*manifest\.json$/, () => moveOn(from, 2, [second, third]));
    expect(await sync(changing, to, options)).toMatchObject({ version: 2 });
    expect(await readEverything(to)).toBe(2);
  });

  test("a version is added: what was there is copied whole, the next run brings the rest", async () => {
    const from = await newMirror(1, [first]);
    const to = newStore();
    const changing = whenRead(from, /tar\.zst$/, async () => {
      await putVersion(from, second);
      await putStatement(from, 2, { images: [first, second] });
    });
    expect(await sync(changing, to, options)).toMatchObject({ version: 1 });
    expect(await readEverything(to)).toBe(1);
    expect(await sync(from, to, options)).toMatchObject({ version: 2, copied: { objects: 8 } });
    expect(await readEverything(to)).toBe(2);
  });

  test("a root is added with a statement: neither goes without the other", async () => {
    const from = await newMirror(1, [first]);
    const to = newStore();
    await sync(from, to, options);
    const changing = whenRead(from, /1\.snapshot\.json$/, () => putStatement(from, 2, { images: [first], roots: 2 }));
    expect(await sync(changing, to, options)).toMatchObject({ version: 2 });
    expect(await keysOf(to)).toContain("metadata/2.root.json");
  });

  test("an archive is replaced while it is read: it is no object at the target", async () => {
    const from = await newMirror(1, [first]);
    const to = newStore();
    const replaced = changedStore(from, {
      async *read(key, readOptions) {
        if (!key.endsWith(".zst")) return yield* from.read(key, readOptions);
        const bytes = await collect(from.read(key, readOptions));
        yield bytes.subarray(0, 100);
        await from.write(key, Buffer.from(bytes));
        throw new Failure({ code: "download-cut", kind: "retry", message: "cut" });
      },
    });
    await expect(sync(replaced, to, options)).rejects.toMatchObject({ code: "source-changed", kind: "integrity" });
    expect(await keysOf(to)).not.toContain(archiveOf(first));
  });
});

describe("what breaks off", () => {
  test("goes on from there by range, if it is the same object still", async () => {
    const from = await newMirror(1, [first]);
    const { watching, ranges } = watched(from);
    const cutting = changedStore(watching, {
      async *read(key, readOptions) {
        const bytes = await collect(watching.read(key, readOptions));
        if (!key.endsWith(".zst") || bytes.byteLength < 2000) return yield bytes;
        yield bytes.subarray(0, 1000);
        throw new Failure({ code: "download-cut", kind: "retry", message: "cut" });
      },
    });
    const to = newStore();
    await sync(cutting, to, options);
    const found = (await from.stat(archiveOf(first))) ?? expect.unreachable();
    expect(found.sizeBytes).toBeGreaterThan(3000);
    expect(ranges.map(({ range }) => range?.start)).toEqual([undefined, 1000, 2000].slice(0, ranges.length));
    expect(ranges.length).toBeGreaterThan(2);
    expect(ranges.every(({ ifMatch }) => ifMatch === found.etag)).toBe(true);
    expect(await readEverything(to)).toBe(1);
  });

  test("a target that does not answer now and then is tried again", async () => {
    const [from, to] = [await newMirror(1, [first]), newStore()];
    const failed = new Set<string>();
    const flaky = changedStore(to, {
      async write(key, body, writeOptions) {
        if (failed.has(key) || key.startsWith("locks/")) return to.write(key, body, writeOptions);
        failed.add(key);
        throw new Failure({ code: "store-unreachable", kind: "retry", message: "no answer" });
      },
    });
    await sync(from, flaky, options);
    expect(failed.size).toBe(9);
    expect(await contents(to)).toEqual(await contents(from));
  });

  test("an answer to the pointer's write that was lost is no other writer", async () => {
    const [from, to] = [await newMirror(1, [first]), newStore()];
    const losing = changedStore(to, {
      async write(key, body, writeOptions) {
        const written = await to.write(key, body, writeOptions);
        if (!key.endsWith("timestamp.json")) return written;
        throw new Failure({ code: "object-exists", kind: "failed", message: "there already" });
      },
    });
    expect(await sync(from, losing, options)).toMatchObject({ version: 1 });
  });

  test("another writer at the target is told", async () => {
    const [from, to] = [await newMirror(1, [first]), newStore()];
    const racing = changedStore(to, {
      async write(key, body, writeOptions) {
        if (key.endsWith("timestamp.json")) await putStatement(to, 1, { images: [] });
        return to.write(key, body, writeOptions);
      },
    });
    await expect(sync(from, racing, options)).rejects.toMatchObject({ code: "pointer-raced", kind: "retry" });
  });

  test("an interrupted run leaves no lock", async () => {
    const [from, to] = [await newMirror(1, [first]), newStore()];
    const interruption = new AbortController();
    const stopping = changedStore(from, {
      async *read(key, readOptions) {
        if (key.endsWith(".zst")) interruption.abort();
        yield* from.read(key, readOptions);
      },
    });
    const syncing = sync(stopping, to, { ...options, signal: interruption.signal });
    await expect(syncing).rejects.toMatchObject({ kind: "interrupted" });
    expect(await keysOf(to)).not.toContain("locks/sync.json");
    expect(await readEverything(to)).toBe(0);
  });
});

describe("from a web server, which can't be listed", () => {
  test("everything is copied; a run with nothing to do asks for metadata only; new roots are found", async () => {
    await using directory = await temporaryDirectory();
    const from = await newMirror(3, [first, second], new DirectoryStore(directory.path));
    await using server = await serve(from);
    const to = newStore();
    const web = openStore(server.url);
    await sync(web, to, options);
    expect(await contents(to)).toEqual(await contents(from));

    server.asked.length = 0;
    expect(await sync(web, to, options)).toMatchObject({ copied: { objects: 0 } });
    expect(server.asked.filter((line) => !/^GET .*(metadata|channels)/.test(line))).toEqual([
      "HEAD /metadata/timestamp.json",
      "HEAD /metadata/2.root.json",
    ]);

    await to.remove(archiveOf(first));
    await moveOn(from, 4, [first, second, third]);
    await sync(web, to, { ...options, delete: true });
    expect(await readEverything(to)).toBe(4);
    expect(await keysOf(to)).toContain("metadata/4.root.json");
    await sync(web, to, { ...options, delete: true });
    expect(await contents(to)).toEqual(await contents(from));
  });
});

async function serve(store: Store) {
  const serveFile = serveDirectory(new URL(store.url).pathname);
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    serveFile(request, response);
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  const port = typeof address === "object" ? address?.port : expect.unreachable();
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}`, asked, [Symbol.asyncDispose]: async () => stop() };
}
