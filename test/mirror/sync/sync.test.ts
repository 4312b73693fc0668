import { afterAll, describe, expect, test } from "vitest";
import { type Event, eventSchema } from "../../../common/event.ts";
import type { Store } from "../../../mirror/store.ts";
import { sync } from "../../../mirror/sync/sync.ts";
import { changedStore } from "../changed-store.ts";
import { startWritableStores } from "../writable-stores.ts";
import { MemoryStore } from "./memory-store.ts";
import {
  contents,
  keysOf,
  putMirror,
  putStatement,
  readEverything,
  sampleVersion,
  versionPrefix,
} from "./unsigned-mirror.ts";

const stores = await startWritableStores();
afterAll(stores.stop);
const emit = () => undefined;
const options = { emit, retryDelayMs: 1 };
const first = sampleVersion("20261121.0");
const second = sampleVersion("20261122.0");
const third = sampleVersion("20261123.0");
const other = sampleVersion("20261121.0", "rocky-9", "arm64");
const stable = { "debian-12:stable": "20261122.0", "rocky-9:stable": "20261121.0" };

/** Tells which keys are read, written and removed. */
function watched(store: Store) {
  const log: Record<"read" | "written" | "removed", string[]> = { read: [], written: [], removed: [] };
  const watching = changedStore(store, {
    read(key, readOptions) {
      log.read.push(key);
      return store.read(key, readOptions);
    },
    write(key, body, writeOptions) {
      log.written.push(key);
      return store.write(key, body, writeOptions);
    },
    remove(key, signal) {
      log.removed.push(key);
      return store.remove(key, signal);
    },
  });
  return { watching, log };
}

/** Signatures are none of a sync's business: plain stores are enough. */
const kinds = stores.kinds.filter(([kind]) => kind !== "a signed mirror");
const isLock = (key: string) => key.startsWith("locks/");
const isMetadata = (key: string) => /^metadata\/|channels\.json$/.test(key);
const newStore = (): Store => new MemoryStore();

describe.each(kinds)("on %s", (_, open) => {
  test("the first run copies everything, byte for byte, the pointer last; the second only looks", async () => {
    const from = (await open()).store;
    const to = (await open()).store;
    await putMirror(from, 7, { images: [first, second, other], channels: stable, roots: 3 });
    const target = watched(to);
    const summary = await sync(from, target.watching, options);
    const all = await contents(from);
    expect(await contents(to)).toEqual(all);
    expect(summary).toMatchObject({
      version: 7,
      pointerMoved: true,
      copied: { objects: Object.keys(all).length },
      skipped: { objects: 0, bytes: 0 },
      images: [
        { name: "debian-12", arch: "amd64", copied: { objects: 7 } },
        { name: "rocky-9", arch: "arm64", copied: { objects: 4 } },
      ],
    });
    const order = target.log.written.filter((key) => !isLock(key));
    const rank = (key: string) =>
      [/tar\.zst$|SUMS$/, /manifest\.json$/, /channels\.json$/, /metadata\/7/, /root/, /timestamp/].findIndex((kind) =>
        kind.test(key),
      );
    expect(order.map(rank)).toEqual(order.map(rank).toSorted((a, b) => a - b));
    expect(order.slice(-4)).toEqual([
      "metadata/1.root.json",
      "metadata/2.root.json",
      "metadata/3.root.json",
      "metadata/timestamp.json",
    ]);

    const source = watched(from);
    const again = watched(to);
    const nothing = await sync(source.watching, again.watching, options);
    expect(source.log.read.filter((key) => !isMetadata(key))).toEqual([]);
    expect(source.log.read).toHaveLength(7);
    expect(again.log).toEqual({ read: ["metadata/timestamp.json"], written: [], removed: [] });
    expect(nothing).toMatchObject({
      pointerMoved: false,
      copied: { objects: 0, bytes: 0 },
      skipped: { objects: Object.keys(all).length - 4 },
    });
  });

  test("of a new version only what is new travels; what is damaged in size is replaced", async () => {
    const from = (await open()).store;
    const to = (await open()).store;
    await putMirror(from, 1, { images: [first, second], channels: stable });
    await sync(from, to, options);
    await putMirror(from, 2, { images: [first, second, third], channels: { "debian-12:stable": "20261123.0" } });
    await to.write(`${versionPrefix(first)}image.tar.zst`, Buffer.from("cut"));
    const source = watched(from);
    await sync(source.watching, to, options);
    const prefixes = [versionPrefix(first), versionPrefix(third)];
    const files = source.log.read.filter((key) => !isMetadata(key));
    expect(files.filter((key) => !prefixes.some((prefix) => key.startsWith(prefix)))).toEqual([]);
    expect(files.filter((key) => key.endsWith(".zst"))).toHaveLength(2);
    expect(await readEverything(to)).toBe(2);
  });

  test("what was removed from the source goes with --delete only, and old metadata a run after its last readers", async () => {
    const from = (await open()).store;
    const to = (await open()).store;
    await putMirror(from, 1, { images: [first, second, other], channels: stable });
    await sync(from, to, options);
    await putStatement(from, 2, { images: [second, third], channels: { "debian-12:stable": "20261122.0" } });
    await putMirror(from, 3, { images: [second, third], channels: { "debian-12:stable": "20261122.0" } });
    await to.write("metadata/9.debian-12.json", Buffer.from("newer"));
    await to.write("metadata/1.else.json", Buffer.from("whose?"));
    await to.write("images/notes.txt", Buffer.from("a note"));

    await sync(from, to, options);
    expect(await keysOf(to)).toEqual(expect.arrayContaining([`${versionPrefix(first)}manifest.json`]));
    const dry = await sync(from, to, { ...options, delete: true, dryRun: true });
    const target = watched(to);
    const swept = await sync(from, target.watching, { ...options, delete: true });
    expect(dry.deleted).toEqual(swept.deleted);
    expect(swept.deleted.objects).toBe(target.log.removed.filter((key) => !isLock(key)).length);
    expect(target.log.removed[0]).toMatch(/manifest\.json$/);
    expect(await readEverything(to)).toBe(3);
    const left = await keysOf(to);
    expect(left.filter((key) => /20261121|rocky|metadata\/[12]\.(?!root)/.test(key))).toEqual([
      "metadata/1.else.json",
      "metadata/1.rocky-9.json",
    ]);
    expect(left).toEqual(
      expect.arrayContaining(["metadata/9.debian-12.json", "images/notes.txt", "metadata/1.root.json"]),
    );
    expect(await sync(from, to, { ...options, delete: true })).toMatchObject({ deleted: { objects: 0 } });
  });
});

test("readers who have just read the former pointer find what it leads to", async () => {
  const [from, to] = [newStore(), newStore()];
  await putMirror(from, 1, { images: [first], channels: {} });
  await sync(from, to, options);
  await putMirror(from, 2, { images: [first, second], channels: {} });
  await sync(from, to, { ...options, delete: true });
  expect(await keysOf(to, "metadata/")).toContain("metadata/1.snapshot.json");
  await putMirror(from, 3, { images: [first, second], channels: {} });
  await sync(from, to, { ...options, delete: true });
  expect((await keysOf(to, "metadata/")).filter((key) => /\/[12]\.(?!root)/.test(key))).toEqual([
    "metadata/2.debian-12.json",
    "metadata/2.snapshot.json",
    "metadata/2.targets.json",
  ]);
});

test("a version on its way out stays as long as the source keeps it", async () => {
  const [from, to] = [newStore(), newStore()];
  await putMirror(from, 1, { images: [first, second], channels: {} });
  await sync(from, to, options);
  await putMirror(from, 2, { images: [second], pruned: { "debian-12": ["20261121.0"] } });
  await sync(from, to, { ...options, delete: true });
  expect(await keysOf(to, versionPrefix(first))).toHaveLength(3);
  await putMirror(from, 3, { images: [second] });
  await sync(from, to, { ...options, delete: true });
  expect(await keysOf(to, versionPrefix(first))).toEqual([]);
});

test("a dry run tells what would be copied, and writes nothing at all", async () => {
  const [from, to] = [newStore(), newStore()];
  await putMirror(from, 1, { images: [second, other], channels: stable });
  const dry = await sync(from, to, { ...options, dryRun: true });
  expect(await keysOf(to)).toEqual([]);
  const { copied, pointerMoved, images } = await sync(from, to, options);
  expect(dry).toMatchObject({ dryRun: true, copied, pointerMoved, images });
});

describe("filters", () => {
  const channels = {
    "debian-12:stable": "20261121.0",
    "debian-12:candidate": "20261123.0",
    "rocky-9:stable": "20261121.0",
  };

  async function versionsThere(store: Store): Promise<string[]> {
    const keys = await keysOf(store, "images/");
    return [...new Set(keys.flatMap((key) => /^images\/(.*\/\d{8}\.\d)\//.exec(key)?.[1] ?? []))];
  }

  test.each([
    [{ images: ["rocky-9"] }, ["rocky-9/arm64/20261121.0"]],
    [{ archs: ["arm64" as const] }, ["rocky-9/arm64/20261121.0"]],
    [{ channels: ["candidate"] }, ["debian-12/amd64/20261123.0"]],
    [{ newest: 1 }, ["debian-12/amd64/20261121.0", "debian-12/amd64/20261123.0", "rocky-9/arm64/20261121.0"]],
    [
      { images: ["debian-12"], channels: ["stable"], newest: 2 },
      ["debian-12/amd64/20261121.0", "debian-12/amd64/20261122.0", "debian-12/amd64/20261123.0"],
    ],
  ])("%j takes its versions and all of the metadata; with --delete nothing else stays", async (filter, expected) => {
    const [from, to, full] = [newStore(), newStore(), newStore()];
    await putMirror(from, 1, { images: [first, second, third, other], channels });
    await sync(from, to, { ...options, filter });
    expect(await versionsThere(to)).toEqual(expected);
    expect(await readEverything(to, filter)).toBe(1);
    expect((await keysOf(to)).filter(isMetadata)).toEqual((await keysOf(from)).filter(isMetadata));
    await sync(from, full, options);
    await sync(from, full, { ...options, filter, delete: true });
    expect(await keysOf(full)).toEqual(await keysOf(to));
  });
});

test.each([
  ["image-unknown", { filter: { images: ["debian-13"] } }],
  ["channel-unknown", { filter: { channels: ["beta"] } }],
  ["channel-invalid", { filter: { channels: ["Not a channel"] } }],
  ["newest-invalid", { filter: { newest: 0 } }],
  ["bandwidth-invalid", { bytesPerSecond: 0 }],
])("%s is refused before anything is written or removed", async (code, wrong) => {
  const [from, to] = [newStore(), newStore()];
  await putMirror(from, 1, { images: [first], channels: { "debian-12:stable": "20261121.0" } });
  const syncing = sync(from, to, { ...options, ...wrong, delete: true });
  await expect(syncing).rejects.toMatchObject({ code, kind: "configuration" });
  expect(await keysOf(to)).toEqual([]);
});

test("what is no mirror is not copied", async () => {
  const syncing = sync(newStore(), newStore(), options);
  await expect(syncing).rejects.toMatchObject({ code: "mirror-unsigned", kind: "configuration" });
});

test("every start has its finish, and bytes are told", async () => {
  const [from, to] = [newStore(), newStore()];
  await putMirror(from, 1, { images: [first], channels: {}, expires: "2020-01-01T00:00:00Z" });
  const events: Event[] = [];
  await sync(from, to, { ...options, emit: (event) => events.push(eventSchema.parse(event)) });
  const steps = (kind: Event["kind"]) =>
    events.flatMap((event) => (event.kind === kind && "step" in event ? [event.step] : []));
  expect(steps("step-started")).toEqual(steps("step-finished"));
  expect(steps("step-started")).toEqual(expect.arrayContaining(["read-source", "copy-files", "move-pointer"]));
  expect(events).toContainEqual(
    expect.objectContaining({ kind: "note", text: expect.stringContaining("has expired") }),
  );
  expect(events.at(-1)).toMatchObject({ kind: "operation-finished", operation: "sync" });
});
