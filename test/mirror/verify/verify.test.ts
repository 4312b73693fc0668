import { once } from "node:events";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { type Event, eventSchema } from "../../../common/event.ts";
import { Failure } from "../../../common/failure.ts";
import { openStore } from "../../../mirror/open-store.ts";
import { retire } from "../../../mirror/retire.ts";
import { rollback } from "../../../mirror/rollback.ts";
import type { Store } from "../../../mirror/store.ts";
import { sync } from "../../../mirror/sync/sync.ts";
import { type VerifyOptions, verify } from "../../../mirror/verify/verify.ts";
import { changedStore } from "../changed-store.ts";
import { collect } from "../gather.ts";
import { temporaryDirectory } from "../sample-image.ts";
import { serveDirectory } from "../serve-directory.ts";
import { MemoryStore } from "../sync/memory-store.ts";
import { contents, keysOf } from "../sync/unsigned-mirror.ts";
import { startWritableStores } from "../writable-stores.ts";
import { archive, damage, newest, options, problems } from "./findings.ts";
import {
  cut,
  firstPrefix,
  flip,
  openSampleMirror,
  otherPrefix,
  overwrite,
  publishSample,
  second,
  secondPrefix,
} from "./sample-mirror.ts";

const stores = await startWritableStores();
afterAll(stores.stop);
/** A mirror is checked where it lies: what signs is not asked. */
const kinds = stores.kinds.filter(([kind]) => kind !== "a signed mirror");
/** Tells which keys are read. */
function watched(store: Store) {
  const read: string[] = [];
  const watching = changedStore(store, {
    read(key, readOptions) {
      read.push(key);
      return store.read(key, readOptions);
    },
  });
  return { watching, read };
}

describe.each(kinds)("on %s", (_, open) => {
  test("what is damaged is named, and repaired from another mirror; what nobody refers to is told", async () => {
    const { store, root, copy } = await openSampleMirror((await open()).store);
    const whole = await verify(store, { root, ...options });
    expect(whole).toMatchObject({ ok: true, version: 4, expiresFirst: "timestamp", findings: [], repaired: [] });
    // The pointer and what it leads to, a root, three manifests and archives.
    expect(whole.checked.objects).toBe(1 + 4 + 2 + 1 + 3 + 3);

    await overwrite(store, archive(firstPrefix), flip);
    await overwrite(store, archive(secondPrefix), cut);
    await store.remove(archive(otherPrefix));
    await overwrite(store, `${secondPrefix}manifest.json`, () => Buffer.from("{}"));
    await store.write(`${firstPrefix}notes.txt`, Buffer.from("whose?"));
    await store.write("images/debian-12/amd64/20261101.0/image.tar.zst", Buffer.from("left by a killed publisher"));
    await store.write("images/debian-12/amd64/index.html", Buffer.from("a page"));
    await store.write("locks/sync.json", Buffer.from("{}"));
    const found = await verify(store, { root, ...options });
    expect(found.ok).toBe(false);
    expect(problems(found.findings)).toEqual([
      ["hash", archive(firstPrefix)],
      ["hash", `${secondPrefix}manifest.json`],
      ["missing", archive(otherPrefix)],
      ["orphan", "images/debian-12/amd64/20261101.0/image.tar.zst"],
      ["orphan", `${firstPrefix}notes.txt`],
    ]);

    const repaired = await verify(store, { root, repairFrom: copy, ...options });
    expect(repaired.ok).toBe(true);
    expect(problems(repaired.repaired)).toEqual([
      ["hash", archive(firstPrefix)],
      ["size", archive(secondPrefix)],
      ["hash", `${secondPrefix}manifest.json`],
      ["missing", archive(otherPrefix)],
    ]);
    expect(await contents(store)).toMatchObject(await contents(copy));
  });
});

describe("quick", () => {
  test("sees what is missing or of another size, and reads no file of a version but manifests", async () => {
    const { store, root } = await openSampleMirror(new MemoryStore());
    await overwrite(store, archive(firstPrefix), flip);
    await overwrite(store, archive(secondPrefix), cut);
    await store.remove(archive(otherPrefix));
    const { watching, read } = watched(store);
    const found = await verify(watching, { root, quick: true, ...options });
    expect(damage(found.findings)).toEqual([
      ["size", archive(secondPrefix)],
      ["missing", archive(otherPrefix)],
    ]);
    expect(read.filter((key) => !/^metadata\/|channels\.json$|manifest\.json$/.test(key))).toEqual([]);
  });

  test("believes a store rather than its listing where that lags", async () => {
    const { store, root } = await openSampleMirror(new MemoryStore());
    const lagging = changedStore(store, {
      async *list(prefix) {
        for await (const object of store.list(prefix)) if (!object.key.startsWith(secondPrefix ?? "")) yield object;
      },
    });
    expect(damage((await verify(lagging, { root, quick: true, ...options })).findings)).toEqual([]);
  });
});

describe("filters", () => {
  test.each([
    [{ images: ["rocky-9"] }, [otherPrefix]],
    [{ archs: ["arm64" as const] }, [otherPrefix]],
    [{ channels: ["stable"] }, [secondPrefix, otherPrefix]],
    [{ newest: 1 }, [secondPrefix, otherPrefix]],
  ])("%j checks its versions alone", async (filter, prefixes) => {
    const { store, root } = await openSampleMirror(new MemoryStore());
    for (const prefix of [firstPrefix, secondPrefix, otherPrefix]) await store.remove(archive(prefix));
    await store.write("images/debian-12/amd64/20261101.0/image.tar.zst", Buffer.from("left over"));
    const { findings } = await verify(store, { root, filter, ...options });
    expect(damage(findings)).toEqual(prefixes.map((prefix) => ["missing", archive(prefix)]));
    const named = findings.some(({ problem }) => problem === "orphan");
    expect(named).toBe(!("images" in filter || "archs" in filter));
  });

  test("a copy that was filtered is whole as far as it goes", async () => {
    const { store, root } = await openSampleMirror(new MemoryStore());
    const to = new MemoryStore();
    await sync(store, to, { ...options, filter: { channels: ["stable"] } });
    expect((await verify(to, { root, ...options })).ok).toBe(false);
    expect(await verify(to, { root, filter: { channels: ["stable"] }, ...options })).toMatchObject({
      ok: true,
      findings: [],
    });
  });

  test.each([
    ["image-unknown", { images: ["debian-13"] }],
    ["channel-unknown", { channels: ["beta"] }],
    ["newest-invalid", { newest: Number.NaN }],
  ])("%s", async (code, filter) => {
    const { store, root } = await openSampleMirror(new MemoryStore());
    const verifying = verify(store, { root, filter, ...options });
    await expect(verifying).rejects.toMatchObject({ code, kind: "configuration" });
  });
});

test("a version on its way out is no orphan, and is not asked for", async () => {
  const { store, root, mirror } = await openSampleMirror(new MemoryStore());
  await retire(mirror, "debian-12@20261121.0", { arch: "amd64" });
  await store.remove(archive(firstPrefix));
  const { ok, findings } = await verify(store, { root, ...options });
  expect(ok).toBe(true);
  expect(findings.filter(({ problem }) => problem !== "old")).toEqual([]);
});

test("former lists and metadata are told as old, also those that a publisher left who lost a race", async () => {
  const { store, root, mirror } = await openSampleMirror(new MemoryStore());
  const before = await verify(store, { root, ...options });
  const [role, snapshot] = [await newest(store, "debian-12"), await newest(store, "snapshot")];
  const lists = await keysOf(store, "images/debian-12/amd64/");
  await rollback(mirror, "debian-12", { version: "20261121.0", arch: "amd64" });
  await store.write("metadata/99.rocky-9.json", Buffer.from("of a publisher who lost a race"));
  await store.write("metadata/notes.txt", Buffer.from("whose?"));
  const { ok, findings, checked } = await verify(store, { root, ...options });
  expect(ok).toBe(true);
  expect(checked.objects).toBe(before.checked.objects);
  expect(problems(findings)).toEqual([
    ["old", lists.find((key) => key.endsWith(".channels.json"))],
    ["old", role],
    ["old", snapshot],
    ["old", "metadata/99.rocky-9.json"],
    ["orphan", "metadata/notes.txt"],
  ]);
});

test("a store on the web is checked as any other, but for what nothing refers to", async () => {
  await using directory = await temporaryDirectory();
  const { store, root, copy } = await openSampleMirror(openStore(pathToFileURL(directory.path).href));
  await store.write("images/debian-12/amd64/20261101.0/image.tar.zst", Buffer.from("left over"));
  const server = createServer(serveDirectory(directory.path)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const web = openStore(`http://127.0.0.1:${port}`);
  expect(await verify(web, { root, ...options })).toMatchObject({ ok: true, findings: [] });
  await overwrite(store, archive(firstPrefix), flip);
  await store.remove(archive(secondPrefix));
  expect(damage((await verify(web, { root, quick: true, ...options })).findings)).toEqual([
    ["missing", archive(secondPrefix)],
  ]);
  const repairing = verify(web, { root, repairFrom: copy, ...options });
  await expect(repairing).rejects.toMatchObject({ code: "store-read-only" });
  expect(damage((await verify(store, { root, repairFrom: web, ...options })).findings)).toEqual([
    ["hash", archive(firstPrefix)],
    ["missing", archive(secondPrefix)],
  ]);
  server.close();
});

test("what is pruned while it is looked at is no damage", async () => {
  const { store, root, mirror } = await openSampleMirror(new MemoryStore());
  let pruned = false;
  const racing = changedStore(store, {
    async stat(key) {
      if (key === archive(firstPrefix) && !pruned) {
        pruned = true;
        await retire(mirror, "debian-12@20261121.0", { arch: "amd64" });
        await store.remove(archive(firstPrefix));
      }
      return store.stat(key);
    },
  });
  expect(await verify(racing, { root, ...options })).toMatchObject({ ok: true });
  expect(pruned).toBe(true);
  await overwrite(store, archive(secondPrefix), flip);
  expect((await verify(racing, { root, ...options })).ok).toBe(false);
});

test("a manifest of another version is one of none, even if it is what is listed", async () => {
  const { store, root, mirror } = await openSampleMirror(new MemoryStore());
  const swapped = changedStore(mirror, {
    async write(key, body, writeOptions) {
      if (!key.endsWith("channels.json")) return mirror.write(key, body, writeOptions);
      const listed = JSON.parse(Buffer.from(body as Uint8Array).toString());
      const { "20261121.0": one, "20261122.0": two } = listed.versions;
      listed.versions = { "20261121.0": two, "20261122.0": one };
      return mirror.write(key, Buffer.from(JSON.stringify(listed)), writeOptions);
    },
  });
  const manifests = [firstPrefix, secondPrefix].map((prefix) => `${prefix}manifest.json`);
  const [one = "", two = ""] = manifests;
  await rollback(swapped, "debian-12", { version: "20261121.0", arch: "amd64" });
  const kept = new Map<string, Buffer>();
  for (const key of manifests) kept.set(key, await collect(store.read(key)));
  await overwrite(store, one, () => kept.get(two) ?? expect.unreachable());
  await overwrite(store, two, () => kept.get(one) ?? expect.unreachable());
  const { findings } = await verify(store, { root, ...options });
  expect(damage(findings)).toEqual([
    ["invalid", one],
    ["invalid", two],
  ]);
});

describe("a store that fails", () => {
  const failing = (store: Store, failure: Failure) =>
    changedStore(store, {
      read(key, readOptions) {
        if (key === archive(firstPrefix)) throw failure;
        return store.read(key, readOptions);
      },
    });

  test("with one object: it is told, and the others are checked", async () => {
    const { store, root } = await openSampleMirror(new MemoryStore());
    await store.remove(archive(secondPrefix));
    const failure = new Failure({ code: "unexpected", kind: "failed", message: "reading: EIO" });
    const { findings } = await verify(failing(store, failure), { root, ...options });
    expect(damage(findings)).toEqual([
      ["unreadable", archive(firstPrefix)],
      ["missing", archive(secondPrefix)],
    ]);
  });

  test("with all: nothing is said of its objects", async () => {
    const { store, root } = await openSampleMirror(new MemoryStore());
    const failure = new Failure({ code: "store-unreachable", kind: "retry", message: "no answer" });
    const verifying = verify(failing(store, failure), { root, ...options });
    await expect(verifying).rejects.toMatchObject({ kind: "retry" });
  });

  test("a read that breaks off goes on from there", async () => {
    const { store, root } = await openSampleMirror(new MemoryStore());
    let cuts = 0;
    const dropping = changedStore(store, {
      async *read(key, readOptions) {
        for await (const chunk of store.read(key, readOptions)) {
          if (!key.endsWith(".zst") || cuts >= 3) yield chunk;
          else {
            cuts += 1;
            yield chunk.subarray(0, chunk.byteLength >> 1);
            throw new Failure({ code: "download-cut", kind: "retry", message: "cut" });
          }
        }
      },
    });
    expect((await verify(dropping, { root, ...options })).ok).toBe(true);
    expect(cuts).toBe(3);
  });
});

test("interrupted, it ends", async () => {
  const { store, root } = await openSampleMirror(new MemoryStore());
  const interruption = new AbortController();
  const interrupting = changedStore(store, {
    read(key, readOptions) {
      if (key.endsWith(".zst")) interruption.abort();
      return store.read(key, readOptions);
    },
  });
  const verifying = verify(interrupting, { root, signal: interruption.signal, ...options });
  await expect(verifying).rejects.toMatchObject({ kind: "interrupted" });
});

test("no more than three files are read at a time, and every start has its finish", async () => {
  const { store, root, mirror } = await openSampleMirror(new MemoryStore());
  for (const day of [23, 24, 25])
    await publishSample(mirror, { ...second, manifest: { ...second.manifest, version: `202611${day}.0` } });
  let reading = 0;
  let most = 0;
  const counting = changedStore(store, {
    async *read(key, readOptions) {
      reading += 1;
      most = Math.max(most, reading);
      await new Promise((resolve) => setImmediate(resolve));
      try {
        yield* store.read(key, readOptions);
      } finally {
        reading -= 1;
      }
    },
  });
  const events: Event[] = [];
  const verifying: VerifyOptions = { root, ...options, emit: (event) => events.push(eventSchema.parse(event)) };
  const { checked } = await verify(counting, verifying);
  expect(most).toBe(3);
  expect(checked.bytes).toBeGreaterThan(6 * second.archive.byteLength);
  const steps = (kind: Event["kind"]) =>
    events.flatMap((event) => (event.kind === kind && "step" in event ? [event.step] : []));
  expect(steps("step-started")).toEqual(["read-metadata", "read-manifests", "check-files"]);
  expect(steps("step-finished")).toEqual(steps("step-started"));
});
