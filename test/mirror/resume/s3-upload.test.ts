import { randomBytes } from "node:crypto";
import { AbortMultipartUploadCommand, S3Client, UploadPartCommand } from "@aws-sdk/client-s3";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { Failure } from "../../../common/failure.ts";
import { cutIntoParts } from "../../../mirror/cut-into-parts.ts";
import { openStore } from "../../../mirror/open-store.ts";
import { findUploads } from "../../../mirror/s3-unfinished.ts";
import type { Store } from "../../../mirror/store.ts";
import { type Asked, type FaultProxy, type Rule, times } from "../../lab/fault-proxy.ts";
import { startFaultyS3 } from "../faults/faulty-s3.ts";
import { collect, gather } from "../gather.ts";

const s3 = await startFaultyS3();
afterAll(() => s3[Symbol.asyncDispose]());
const client = new S3Client({
  endpoint: s3.endpoint,
  credentials: s3.credentials,
  region: "us-east-1",
  forcePathStyle: true,
});
const partBytes = 5 * 2 ** 20;
/** Four parts. */
const content = randomBytes(3 * partBytes + 7);
const other = randomBytes(3 * partBytes + 7);
const key = "image.tar.zst";
const cut = new Failure({ code: "download-cut", kind: "retry", message: "the source broke off" });

async function* pieces(bytes: Buffer): AsyncGenerator<Uint8Array, void, undefined> {
  for (let start = 0; start < bytes.byteLength; start += 700_001) yield bytes.subarray(start, start + 700_001);
}

/** Its first bytes, and then a failure. */
async function* broken(bytes: Buffer, end: number, error: Error = cut) {
  yield* pieces(bytes.subarray(0, end));
  throw error;
}

async function open() {
  const opened = await s3.open({ partBytes });
  const Bucket = new URL(opened.url).host;
  const uploads = () => gather(findUploads(client, Bucket, ""));
  /** As one who was killed after so many bytes. */
  const leave = async (bytes: Buffer, end: number) => {
    await expect(opened.faulty.write(key, broken(bytes, end))).rejects.toBe(cut);
  };
  return { ...opened, uploads, leave, Bucket, at: { Bucket, Key: `mirror/${key}` } };
}

/** The numbers of the parts that are sent while it works. */
async function partsSent({ asked }: FaultProxy, work: () => Promise<unknown>): Promise<number[]> {
  const before = asked.length;
  await work();
  const sent = asked.slice(before).filter(({ action }) => action === "UploadPart");
  return sent.map(({ query }) => Number(query.get("partNumber"))).sort();
}

const holds = async (store: Store) => {
  const found = await collect(store.read(key));
  return found.equals(content) ? "content" : found.equals(other) ? "other" : "a mixture";
};

describe("what a writer has left", () => {
  test("is gone on with: only the parts that are missing are sent", async () => {
    const { store, faulty, proxy, leave, uploads } = await open();
    await leave(content, 2 * partBytes + 1);
    expect(await uploads()).toHaveLength(1);
    expect(await store.stat(key)).toBeUndefined();
    const writing = () => faulty.write(key, pieces(content), { ifAbsent: true });
    expect(await partsSent(proxy, writing)).toEqual([3, 4]);
    expect(await holds(store)).toBe("content");
    expect(await uploads()).toEqual([]);
  });

  test("of other content is sent anew", async () => {
    const { store, faulty, proxy, leave } = await open();
    await leave(other, 3 * partBytes + 1);
    expect(await partsSent(proxy, () => faulty.write(key, pieces(content)))).toEqual([1, 2, 3, 4]);
    expect(await holds(store)).toBe("content");
  });

  test("beyond the end of what is written now is none of it", async () => {
    const { store, faulty, leave } = await open();
    await leave(Buffer.concat([content, other]), 6 * partBytes);
    await faulty.write(key, pieces(content));
    expect(await holds(store)).toBe("content");
  });

  test("of another key is left alone", async () => {
    const { faulty, proxy, uploads } = await open();
    await expect(faulty.write(`${key}.other`, broken(content, 2 * partBytes + 1))).rejects.toBe(cut);
    expect(await partsSent(proxy, () => faulty.write(key, pieces(content)))).toEqual([1, 2, 3, 4]);
    expect(await uploads()).toMatchObject([{ key: `mirror/${key}.other` }]);
  });

  const denied = { answer: { status: 403, code: "AccessDenied" } };
  test.each<[string, Rule]>([
    ["uploads may not be listed", ({ action }) => (action === "ListMultipartUploads" ? denied : undefined)],
    ["parts may not be listed", ({ action }) => (action === "ListParts" ? denied : undefined)],
    [
      "entity tags are no MD5s",
      ({ action }) =>
        action === "ListParts" ? { rewrite: (body) => body.replaceAll(/[0-9a-f]{32}/g, "opaque") } : undefined,
    ],
  ])("is of no use where %s: all is sent", async (_, rule) => {
    const { store, faulty, proxy, leave } = await open();
    await leave(content, 2 * partBytes + 1);
    proxy.rule = rule;
    expect(await partsSent(proxy, () => faulty.write(key, pieces(content)))).toEqual([1, 2, 3, 4]);
    expect(await holds(store)).toBe("content");
  });
});

describe("the parts of an upload", () => {
  test("stay where it is interrupted, and go where the body is of no use", async () => {
    const { faulty, uploads } = await open();
    const interruption = new AbortController();
    async function* interrupted() {
      yield* pieces(content.subarray(0, 2 * partBytes + 1));
      interruption.abort();
      yield* pieces(content);
    }
    const writing = faulty.write(key, interrupted(), { signal: interruption.signal });
    await expect(writing).rejects.toMatchObject({ kind: "interrupted" });
    expect(await uploads()).toHaveLength(1);
    const damaged = new Failure({ code: "file-hash-mismatch", kind: "integrity", message: "damaged" });
    await expect(faulty.write(key, broken(content, 2 * partBytes + 1, damaged))).rejects.toBe(damaged);
    expect(await uploads()).toEqual([]);
  });

  test("stay where the server fails", async () => {
    const { faulty, proxy, uploads } = await open();
    proxy.rule = ({ query }) => (query.get("partNumber") === "3" ? { answer: { status: 500 } } : undefined);
    await expect(faulty.write(key, pieces(content))).rejects.toMatchObject({ kind: "retry" });
    proxy.rule = () => undefined;
    expect(await uploads()).toHaveLength(1);
    const sent = await partsSent(proxy, () => faulty.write(key, pieces(content)));
    expect(sent).not.toContain(1);
    expect(sent).toContain(3);
  });

  test("stay where the credentials have expired, which can't remove them either", async () => {
    const { store, faulty, proxy, uploads } = await open();
    let requests = 0;
    proxy.rule = ({ action }) => {
      if (action === "UploadPart") requests += 1;
      return requests > 2 ? { answer: { status: 400, code: "ExpiredToken" } } : undefined;
    };
    const expired = { code: "store-denied", hint: expect.stringContaining("run it again, it goes on from there") };
    await expect(faulty.write(key, pieces(content))).rejects.toMatchObject(expired);
    expect(await uploads()).toHaveLength(1);
    proxy.rule = () => undefined;
    expect(await partsSent(proxy, () => faulty.write(key, pieces(content)))).toEqual([3, 4]);
    expect(await holds(store)).toBe("content");
  });

  const lost = { code: "upload-lost", kind: "retry", exitCode: 5 };
  const atLastPart = (work: (id: string) => Promise<unknown>): Rule => {
    return times(1, ({ query }: Asked) =>
      query.get("partNumber") === "4"
        ? { before: async () => void (await work(query.get("uploadId") ?? "")) }
        : undefined,
    );
  };

  test("are gone when another writer has ended it: it is told as worth another try", async () => {
    const { faulty, store, proxy, at } = await open();
    proxy.rule = atLastPart((UploadId) => client.send(new AbortMultipartUploadCommand({ ...at, UploadId })));
    await expect(faulty.write(key, pieces(content))).rejects.toMatchObject(lost);
    expect(await store.stat(key)).toBeUndefined();
    await faulty.write(key, pieces(content));
    expect(await holds(store)).toBe("content");
  });

  test("are replaced by another writer: nothing is made of them, and the next one begins anew", async () => {
    const { faulty, store, proxy, at, uploads } = await open();
    proxy.rule = atLastPart((UploadId) =>
      client.send(new UploadPartCommand({ ...at, UploadId, PartNumber: 1, Body: other.subarray(0, partBytes) })),
    );
    await expect(faulty.write(key, pieces(content))).rejects.toMatchObject(lost);
    expect(await store.stat(key)).toBeUndefined();
    expect(await uploads()).toHaveLength(1);
    expect(await partsSent(proxy, () => faulty.write(key, pieces(content)))).toEqual([1, 2, 3, 4]);
    expect(await holds(store)).toBe("content");
    // The other one's, who may be at it still; a prune removes it.
    expect(await uploads()).toHaveLength(1);
  });

  test("were completed, and the answer was lost: the object that is there is told", async () => {
    const { faulty, store, proxy } = await open();
    await faulty.write("first", Buffer.from("1"), { ifAbsent: true });
    proxy.rule = times(1, ({ action }) => (action === "CompleteMultipartUpload" ? { loseAnswer: true } : undefined));
    const writing = faulty.write(key, pieces(content), { ifAbsent: true });
    await writing.catch((error: unknown) => expect(error).toMatchObject({ code: "object-exists" }));
    expect(await holds(store)).toBe("content");
  });
});

describe("two writers at once", () => {
  test.each([
    ["of the same", content, content],
    ["of different", content, other],
  ])("%s content: the object is one of theirs, and nothing of another's", { timeout: 300_000 }, async (...args) => {
    const [, ...bodies] = args;
    await fc.assert(
      fc.asyncProperty(fc.nat(3 * partBytes), async (left) => {
        const { url, store, leave } = await open();
        // A third one has left what both of them find.
        await leave(content, left);
        const writers = bodies.map((body) => {
          const own = openStore(url, { s3: { endpoint: s3.endpoint, credentials: s3.credentials, partBytes } });
          return writeAgain(own, body);
        });
        const outcomes = await Promise.all(writers);
        expect(outcomes).toContain("written");
        const names = bodies.map((body) => (body === content ? "content" : "other"));
        const found = await holds(store);
        expect(names.filter((_, index) => outcomes[index] === "written")).toContain(found);
      }),
      { numRuns: 2, seed: 20261130 },
    );
  });

  /** As a publisher does: again, where that is worth it. */
  async function writeAgain(store: Store, body: Buffer): Promise<string> {
    for (;;) {
      const outcome = await store.write(key, pieces(body), { ifAbsent: true }).then(
        () => "written",
        (error: unknown) => (error instanceof Failure ? error.code : String(error)),
      );
      if (outcome !== "upload-lost") {
        expect(["written", "object-exists"]).toContain(outcome);
        return outcome;
      }
    }
  }
});

test("parts are what the body is, cut", async () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(bodies, fc.integer({ min: 1, max: 20 }), async (chunks, sizeBytes) => {
      async function* body() {
        yield* chunks;
      }
      const parts = await gather(cutIntoParts(body(), sizeBytes));
      expect(Buffer.concat(parts).equals(Buffer.concat(chunks))).toBe(true);
      expect(parts.slice(0, -1).every(({ byteLength }) => byteLength === sizeBytes)).toBe(true);
      expect(parts.every(({ byteLength }) => byteLength > 0 && byteLength <= sizeBytes)).toBe(true);
    }),
  );
});
