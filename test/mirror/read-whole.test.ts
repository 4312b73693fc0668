import { afterAll, expect, test } from "vitest";
import { Failure } from "../../common/failure.ts";
import { DirectoryStore } from "../../mirror/directory-store.ts";
import { readWhole } from "../../mirror/read-whole.ts";
import { changedStore } from "./changed-store.ts";
import { temporaryDirectory } from "./sample-image.ts";

const directory = await temporaryDirectory();
afterAll(() => directory[Symbol.asyncDispose]());

const store = new DirectoryStore(directory.path);
await store.write("object", Buffer.from("a small object"));

/** Breaks off so often in the middle of the object. */
function breaking(times: number) {
  let calls = 0;
  const broken = changedStore(store, {
    async *read(key, options) {
      calls += 1;
      if (calls > times) return yield* store.read(key, options);
      yield Buffer.from("a sma");
      throw new Failure({ code: "download-cut", kind: "retry", message: "cut" });
    },
  });
  return { broken, calls: () => calls };
}

test("a connection that breaks off: the object is read again, from its beginning", async () => {
  const { broken, calls } = breaking(2);
  const read = await readWhole(broken, "object", { limitBytes: 100, retryDelayMs: 1 });
  expect(read.toString()).toBe("a small object");
  expect(calls()).toBe(3);
});

test("as often as the caller has patience for", async () => {
  const { broken, calls } = breaking(5);
  const reading = readWhole(broken, "object", { limitBytes: 100, retryDelayMs: 1, limit: 4 });
  await expect(reading).rejects.toMatchObject({ code: "download-cut", kind: "retry" });
  expect(calls()).toBe(4);
});

test("one that is longer than it can be is not read to its end, nor again", async () => {
  const reading = readWhole(store, "object", { limitBytes: 10 });
  await expect(reading).rejects.toMatchObject({ code: "object-overlong", kind: "integrity" });
});
