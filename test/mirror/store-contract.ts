import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Store, StoredObject } from "../../mirror/store.ts";
import { collect, gather } from "./gather.ts";
import { sampleBytes } from "./sample-image.ts";
import { MemoryStore } from "./sync/memory-store.ts";

/**
 * What every store that can be written to keeps to.
 * @param emptyStore a new store at each call
 * @param missingStore one whose bucket or directory does not exist
 */
export function testStoreContract(emptyStore: () => Promise<Store>, missingStore: () => Promise<Store>): void {
  const text = (content: string) => Buffer.from(content);
  const listed = async (store: Store, prefix: string) => (await gather(store.list(prefix))).map(({ key }) => key);

  test("what is written is read, looked up and listed", async () => {
    const store = await emptyStore();
    const written = await store.write("images/a/manifest.json", text("hello"), { contentType: "application/json" });
    expect(written).toMatchObject({ key: "images/a/manifest.json", sizeBytes: 5 });
    expect(await store.stat("images/a/manifest.json")).toEqual(written);
    expect(await gather(store.list("images/"))).toEqual([written]);
    expect((await collect(store.read("images/a/manifest.json"))).toString()).toBe("hello");
  });

  test("an object may be empty", async () => {
    const store = await emptyStore();
    await store.write("empty", text(""));
    expect(await store.stat("empty")).toMatchObject({ sizeBytes: 0 });
    expect(await collect(store.read("empty"))).toHaveLength(0);
  });

  test.each([1, 5 * 2 ** 20, 33 * 2 ** 20 + 7])("a stream of %i bytes arrives as it was", async (sizeBytes) => {
    const store = await emptyStore();
    const content = sampleBytes(`stream ${sizeBytes}`, sizeBytes);
    const written = await store.write("streamed", pieces(content, 700_001), { ifAbsent: true });
    expect(written).toEqual(await store.stat("streamed"));
    expect(content.equals(await collect(store.read("streamed")))).toBe(true);
  });

  test("a range is what slice() gives", async () => {
    const store = await emptyStore();
    const content = sampleBytes("range", 5000);
    const { etag } = await store.write("object", content);
    const ranges = fc
      .tuple(fc.nat(4999), fc.nat(4999))
      .map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) + 1 }));
    const check = fc.asyncProperty(ranges, async (range) => {
      const found = await collect(store.read("object", { range, ifMatch: etag }));
      expect(found.equals(content.subarray(range.start, range.end))).toBe(true);
    });
    await fc.assert(check, { numRuns: 30 });
  });

  test.each([
    { start: 0, end: 11 },
    { start: 9, end: 11 },
    { start: 10, end: 11 },
    { start: 5000, end: 6000 },
  ])("a range beyond the end is refused: %o", async (range) => {
    const store = await emptyStore();
    await store.write("object", text("0123456789"));
    await expect(collect(store.read("object", { range }))).rejects.toMatchObject({
      code: "object-short",
      kind: "integrity",
    });
  });

  test("what is not there", async () => {
    const store = await emptyStore();
    await store.write("images/a", text("file"));
    expect(await store.stat("nothing")).toBeUndefined();
    expect(await store.stat("images/a/below")).toBeUndefined();
    await expect(collect(store.read("nothing"))).rejects.toMatchObject({ code: "object-missing" });
    await expect(collect(store.read("images"))).rejects.toMatchObject({ code: "object-missing" });
    await expect(store.write("nothing", text("x"), { ifMatch: '"0"' })).rejects.toMatchObject({
      code: "object-changed",
    });
    expect(await listed(store, "nothing/")).toEqual([]);
    await store.remove("nothing");
  });

  test("ifAbsent keeps what is there, for bytes, short streams and long ones", async () => {
    const store = await emptyStore();
    await store.write("object", text("first"), { ifAbsent: true });
    for (const body of [text("second"), pieces(text("second"), 2), pieces(Buffer.alloc(20 * 2 ** 20), 2 ** 20)]) {
      await expect(store.write("object", body, { ifAbsent: true })).rejects.toMatchObject({ code: "object-exists" });
    }
    expect((await collect(store.read("object"))).toString()).toBe("first");
  });

  test("ifMatch replaces only what one has seen, and tells a reader of a change", async () => {
    const store = await emptyStore();
    const first = await store.write("object", text("1"));
    const second = await store.write("object", text("2"), { ifMatch: first.etag });
    expect(second.etag).not.toBe(first.etag);
    await expect(store.write("object", text("3"), { ifMatch: first.etag })).rejects.toMatchObject({
      code: "object-changed",
    });
    await expect(collect(store.read("object", { ifMatch: first.etag }))).rejects.toMatchObject({
      code: "object-changed",
    });
    expect((await collect(store.read("object", { ifMatch: second.etag }))).toString()).toBe("2");
  });

  test("without a condition the later write wins, and every one has its own entity tag", async () => {
    const store = await emptyStore();
    const written: StoredObject[] = [];
    for (const content of ["a", "b", "c", "d", "e", "f"]) written.push(await store.write("object", text(content)));
    expect(new Set(written.map(({ etag }) => etag)).size).toBe(written.length);
    expect((await collect(store.read("object"))).toString()).toBe("f");
  });

  test("of eight who create at once one does, of eight who replace at once one does", async () => {
    const store = await emptyStore();
    const race = async (condition: { ifAbsent: true } | { ifMatch: string }) => {
      // No content twice: an entity tag that is a hash of it (S3) would still match.
      const contents = Array.from({ length: 8 }, (_, index) => `${Object.keys(condition)} ${index}`);
      const outcomes = await Promise.allSettled(
        contents.map((content) => store.write("object", text(content), condition)),
      );
      return contents.filter((_, index) => outcomes[index]?.status === "fulfilled");
    };
    const creators = await race({ ifAbsent: true });
    expect(creators).toHaveLength(1);
    expect([(await collect(store.read("object"))).toString()]).toEqual(creators);
    const replacers = await race({ ifMatch: (await store.stat("object"))?.etag ?? "" });
    expect(replacers).toHaveLength(1);
    expect([(await collect(store.read("object"))).toString()]).toEqual(replacers);
  });

  test.each([3, 40])(
    "a body that fails in its middle (%i MiB) leaves what was there, and its error is told",
    async (mebibytes) => {
      const store = await emptyStore();
      await store.write("object", text("before"));
      async function* failing() {
        for (let index = 0; index < mebibytes; index += 1) yield Buffer.alloc(2 ** 20);
        throw new Error("the disk caught fire");
      }
      await expect(store.write("object", failing())).rejects.toThrow("the disk caught fire");
      await expect(store.write("other", failing(), { ifAbsent: true })).rejects.toThrow("the disk caught fire");
      expect((await collect(store.read("object"))).toString()).toBe("before");
      expect(await listed(store, "")).toEqual(["object"]);
    },
  );

  test("an interrupted write leaves nothing", async () => {
    const store = await emptyStore();
    const interrupt = new AbortController();
    async function* endless() {
      for (let index = 0; ; index += 1) {
        if (index === 20) interrupt.abort();
        yield Buffer.alloc(2 ** 20);
      }
    }
    const { signal } = interrupt;
    await expect(store.write("object", endless(), { signal })).rejects.toMatchObject({ kind: "interrupted" });
    expect(await listed(store, "")).toEqual([]);
  });

  test("an interrupted read ends", async () => {
    const store = await emptyStore();
    await store.write("object", Buffer.alloc(8 * 2 ** 20));
    const interrupt = new AbortController();
    const reading = async () => {
      for await (const _ of store.read("object", { signal: interrupt.signal })) interrupt.abort();
    };
    await expect(reading()).rejects.toMatchObject({ kind: "interrupted" });
  });

  test("a list is in byte order, by any prefix, and complete beyond a page of 1,000", async () => {
    const store = await emptyStore();
    const keys = ["a-b/1", "a.txt", "a/1", "a/2/x", "a0", "B", "images/x/1.json"];
    for (const key of keys) await store.write(key, text(key));
    expect(await listed(store, "")).toEqual([...keys].sort());
    expect(await listed(store, "a/")).toEqual(["a/1", "a/2/x"]);
    expect(await listed(store, "a")).toEqual(["a-b/1", "a.txt", "a/1", "a/2/x", "a0"]);
    expect(await listed(store, "images/x")).toEqual(["images/x/1.json"]);
    const many = Array.from({ length: 1100 }, (_, index) => `many/${String(index).padStart(5, "0")}`);
    for (let index = 0; index < many.length; index += 50) {
      await Promise.all(many.slice(index, index + 50).map((key) => store.write(key, text(""), { ifAbsent: true })));
    }
    expect(await listed(store, "many/")).toEqual(many);
  });

  test("what is removed is gone", async () => {
    const store = await emptyStore();
    await store.write("a/b", text("x"));
    await store.remove("a/b");
    expect(await store.stat("a/b")).toBeUndefined();
    expect(await listed(store, "")).toEqual([]);
  });

  describe("copyFrom, of a store that has it", () => {
    const openTwo = async () => ({ from: await emptyStore(), to: await emptyStore() });

    test("brings an object of another store of the server, in place of what was there", async () => {
      const { from, to } = await openTwo();
      for (const content of [text("hello"), text("")]) {
        const seen = await from.write("a/object", content);
        await to.write("a/object", text("former"));
        const copied = await to.copyFrom?.(from, seen, { contentType: "text/plain" });
        if (!copied) return;
        const { sha256, ...found } = copied;
        if (sha256 !== undefined) expect(sha256).toBe(createHash("sha256").update(content).digest("hex"));
        expect(found).toEqual(await to.stat("a/object"));
        expect((await collect(to.read("a/object"))).equals(content)).toBe(true);
        expect(await from.stat("a/object")).toEqual(seen);
      }
    });

    test("copies what was seen, and nothing in its place", async () => {
      const { from, to } = await openTwo();
      const seen = await from.write("object", text("seen"));
      await to.write("object", text("former"));
      const copying = () => to.copyFrom?.(from, seen) ?? Promise.resolve(undefined);
      if (!(await copying())) return;
      await to.write("object", text("former"));
      await from.write("object", text("another"));
      await expect(copying()).rejects.toMatchObject({ code: "object-changed", kind: "failed" });
      await from.remove("object");
      await expect(copying()).rejects.toMatchObject({ code: "object-changed", kind: "failed" });
      expect((await collect(to.read("object"))).toString()).toBe("former");
    });

    test("does nothing where the other store is none of the server", async () => {
      const [from, to] = [new MemoryStore(), await emptyStore()];
      const seen = await from.write("object", text("x"));
      expect(await to.copyFrom?.(from, seen)).toBeUndefined();
      expect(await listed(to, "")).toEqual([]);
    });

    test("is interrupted", async () => {
      const { from, to } = await openTwo();
      const seen = await from.write("object", text("x"));
      if (!(await to.copyFrom?.(from, seen))) return;
      await to.remove("object");
      const copying = to.copyFrom?.(from, seen, { signal: AbortSignal.abort() });
      await expect(copying).rejects.toMatchObject({ kind: "interrupted" });
      expect(await listed(to, "")).toEqual([]);
    });
  });

  test.each([
    "",
    "/a",
    "a/",
    "a//b",
    "../a",
    "a/../../b",
    ".",
    "a/.hidden",
    "a\0b",
    "a b",
    "a\\b",
    "é",
    "a?b",
    "a%2e%2e",
  ])("%j is no key", async (key) => {
    const store = await emptyStore();
    await expect(store.write(key, text("x"))).rejects.toMatchObject({ code: "key-invalid" });
    await expect(store.stat(key)).rejects.toMatchObject({ code: "key-invalid" });
    await expect(collect(store.read(key))).rejects.toMatchObject({ code: "key-invalid" });
    await expect(store.remove(key)).rejects.toMatchObject({ code: "key-invalid" });
  });

  test("a store that is not there is told from an object that is not", async () => {
    const store = await missingStore();
    const expected = { code: "store-missing", kind: "configuration" };
    await expect(store.stat("object")).rejects.toMatchObject(expected);
    await expect(collect(store.read("object"))).rejects.toMatchObject(expected);
    await expect(store.write("object", text("x"))).rejects.toMatchObject(expected);
    await expect(store.write("object", pieces(text("x"), 1))).rejects.toMatchObject(expected);
    await expect(listed(store, "")).rejects.toMatchObject(expected);
  });
}

async function* pieces(content: Buffer, sizeBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let start = 0; start < content.length; start += sizeBytes) yield content.subarray(start, start + sizeBytes);
}
