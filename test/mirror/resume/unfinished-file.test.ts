import { randomBytes } from "node:crypto";
import { link, readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Failure } from "../../../common/failure.ts";
import { DirectoryStore } from "../../../mirror/directory-store.ts";
import { removeUnfinished } from "../../../mirror/remove-unfinished.ts";
import type { BegunWrite } from "../../../mirror/store.ts";
import { copyObject } from "../../../mirror/sync/copy-object.ts";
import { unfinishedName } from "../../../mirror/unfinished-file.ts";
import { changedStore } from "../changed-store.ts";
import { collect } from "../gather.ts";
import { sampleBytes, sha256, temporaryDirectory } from "../sample-image.ts";
import { MemoryStore } from "../sync/memory-store.ts";

const key = "images/debian-12/amd64/20261123.0/image.tar.zst";
const content = sampleBytes("content", 300_000);
const fails = (kind: "retry" | "integrity" | "interrupted" | "configuration") =>
  new Failure({ code: "no-more", kind, message: "no more" });

async function openDirectory() {
  const directory = await temporaryDirectory();
  const store = new DirectoryStore(directory.path);
  const hidden = join(directory.path, ".metalcast");
  return {
    store,
    path: join(hidden, unfinishedName(key)),
    left: async () => (await readdir(hidden)).filter((name) => name !== "lock"),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

/** What comes after the beginning, up to an end, and then a failure where there is one. */
function restOf(bytes: Buffer, end = bytes.byteLength, error?: Failure) {
  const told: number[] = [];
  async function* rest({ sizeBytes }: BegunWrite) {
    told.push(sizeBytes);
    for (let start = sizeBytes; start < end; start += 10_000)
      yield Buffer.from(bytes.subarray(start, Math.min(end, start + 10_000)));
    if (error) throw error;
  }
  return { told, rest };
}

test("what a writer has left is gone on with", async () => {
  await using directory = await openDirectory();
  const { store, left } = directory;
  for (const end of [100_000, 250_001]) {
    const { rest } = restOf(content, end, fails("retry"));
    await expect(store.writeResumed(key, rest, { ifAbsent: true })).rejects.toMatchObject({ code: "no-more" });
    expect(await store.stat(key)).toBeUndefined();
  }
  const { told, rest } = restOf(content);
  let begun: Buffer = Buffer.of();
  const reading = (beginning: BegunWrite) => {
    async function* both() {
      begun = await collect(beginning.read());
      yield* rest(beginning);
    }
    return both();
  };
  const written = await store.writeResumed(key, reading, { ifAbsent: true });
  expect(told).toEqual([250_001]);
  expect(begun.equals(content.subarray(0, 250_001))).toBe(true);
  expect(written).toEqual(await store.stat(key));
  expect((await collect(store.read(key))).equals(content)).toBe(true);
  expect(await left()).toEqual([]);
});

test.each([
  ["retry", 1],
  ["interrupted", 1],
  ["integrity", 0],
  ["configuration", 0],
] as const)("after a failure of kind %s %i files stay", async (kind, count) => {
  await using directory = await openDirectory();
  const { rest } = restOf(content, 100_000, fails(kind));
  await expect(directory.store.writeResumed(key, rest)).rejects.toMatchObject({ kind });
  expect(await directory.left()).toHaveLength(count);
});

test("what another writer is at is left to it", async () => {
  await using directory = await openDirectory();
  const { store, left } = directory;
  const begun = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  async function* slow() {
    yield Buffer.from(content.subarray(0, 1000));
    begun.resolve();
    await goOn.promise;
    yield Buffer.from(content.subarray(1000));
  }
  const first = store.writeResumed(key, slow, { ifAbsent: true });
  await begun.promise;
  const { told, rest } = restOf(content);
  await store.writeResumed(key, rest, { ifAbsent: true });
  expect(told).toEqual([0]);
  goOn.resolve();
  await expect(first).rejects.toMatchObject({ code: "object-exists" });
  expect((await collect(store.read(key))).equals(content)).toBe(true);
  expect(await left()).toEqual([]);
});

test("a file that became the object before its writer was killed is not written to", async () => {
  await using directory = await openDirectory();
  const { store, path } = directory;
  await store.write(key, content, { ifAbsent: true });
  await link(join(path, "../..", key), path);
  const longer = Buffer.concat([content, content]);
  const { told, rest } = restOf(longer);
  await expect(store.writeResumed(key, rest, { ifAbsent: true })).rejects.toMatchObject({ code: "object-exists" });
  expect(told).toEqual([0]);
  expect((await collect(store.read(key))).equals(content)).toBe(true);
});

test("what is longer than the object should be is begun anew", async () => {
  await using directory = await openDirectory();
  const { store, path } = directory;
  await store.write("other", Buffer.of());
  await writeFile(path, Buffer.concat([content, content]));
  const { told, rest } = restOf(content);
  await store.writeResumed(key, rest, { sizeBytes: content.byteLength });
  expect(told).toEqual([0]);
  expect((await collect(store.read(key))).equals(content)).toBe(true);
});

test("what nobody goes on with is removed after a day", async () => {
  await using directory = await openDirectory();
  const { store, path, left } = directory;
  await store.write("other", Buffer.of());
  await writeFile(path, "x");
  expect(await removeUnfinished(store, { emit: () => undefined })).toBe(0);
  await utimes(path, new Date(0), new Date(0));
  expect(await removeUnfinished(store, { emit: () => undefined })).toBe(1);
  expect(await left()).toEqual([]);
});

test("a beginning that is damaged is dropped, and all of it copied", async () => {
  await using directory = await openDirectory();
  const { store, path, left } = directory;
  await store.write("other", Buffer.of());
  const large = randomBytes(17 * 2 ** 20);
  await writeFile(path, Buffer.from(large.subarray(0, 10_000_000)).fill("x", 5, 6));
  const from = new MemoryStore();
  await from.write(key, large);
  const starts: (number | undefined)[] = [];
  const watched = changedStore(from, {
    read(name, options) {
      starts.push(options?.range?.start);
      return from.read(name, options);
    },
  });
  let travelled = 0;
  const onBytes = (count: number) => {
    travelled += count;
  };
  const file = { key, sizeBytes: large.byteLength, sha256: sha256(large) };
  expect(await copyObject(watched, store, file, { onBytes })).toBe(0);
  expect(starts).toEqual([10_000_000, undefined]);
  expect(travelled).toBe(large.byteLength);
  expect((await collect(store.read(key))).equals(large)).toBe(true);
  expect(await left()).toEqual([]);
});
