import { afterAll, describe, expect, test } from "vitest";
import { Failure } from "../../../common/failure.ts";
import { listImages } from "../../../mirror/list-images.ts";
import { publish } from "../../../mirror/publish.ts";
import { resolveImage } from "../../../mirror/resolve.ts";
import { S3Store } from "../../../mirror/s3-store.ts";
import type { Store, WriteOptions } from "../../../mirror/store.ts";
import { withSyncLock } from "../../../mirror/sync/sync-lock.ts";
import { openMirror, signWith } from "../../../mirror/trust/open-mirror.ts";
import { fileDirectory } from "../../file-directory.ts";
import type { Rule } from "../../lab/fault-proxy.ts";
import { collect, gather } from "../gather.ts";
import { makeSampleImage, temporaryDirectory, writeSampleImage } from "../sample-image.ts";
import { newMirror } from "../trust/new-mirror.ts";
import { startFaultyS3 } from "./faulty-s3.ts";

const s3 = await startFaultyS3();
afterAll(() => s3[Symbol.asyncDispose]());
const emit = () => undefined;
const conditions = ["if-none-match", "if-match"];
const isWrite = ({ method }: { method: string }) => method !== "GET" && method !== "HEAD";

/** The server writes as if there were no condition, or says that it knows none. */
const kinds: [string, Rule][] = [
  ["ignores conditions", (asked) => (isWrite(asked) ? { strip: conditions } : undefined)],
  [
    "refuses conditions by name",
    (asked) => {
      const isConditional = conditions.some((name) => asked.headers[name] !== undefined);
      return isWrite(asked) && isConditional ? { answer: { status: 501, code: "NotImplemented" } } : undefined;
    },
  ],
];

/** Does it as the failure's hint says: a loaded machine takes too long for a lock now and then. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== "store-slow") throw error;
    }
  }
}

async function openUnconditional(rule: Rule, settleMs = 1000) {
  const said: string[] = [];
  const opened = await s3.open({ settleMs, onWarning: (text) => said.push(text) });
  opened.proxy.rule = rule;
  return { ...opened, said };
}

describe.each(kinds)("a server that %s", (_, rule) => {
  test("is told once, and the conditions hold all the same", { timeout: 300_000 }, async () => {
    const { faulty, said, proxy } = await openUnconditional(rule);
    const write = (content: string, condition: WriteOptions) =>
      patiently(() => faulty.write("object", Buffer.from(content), condition));
    const first = await write("1", { ifAbsent: true });
    await expect(write("2", { ifAbsent: true })).rejects.toMatchObject({
      code: "object-exists",
    });
    const second = await write("2", { ifMatch: first.etag });
    await expect(write("3", { ifMatch: first.etag })).rejects.toMatchObject({
      code: "object-changed",
    });
    expect((await collect(faulty.read("object", { ifMatch: second.etag }))).toString()).toBe("2");
    expect(said).toEqual([expect.stringMatching(new RegExp(`^${proxy.url} keeps no conditions .* less well$`))]);
    expect((await gather(faulty.list(""))).map(({ key }) => key)).toEqual(["object"]);
  });

  test("two publishers at once lose nothing of each other's", { timeout: 300_000 }, async () => {
    const { url, store, faulty, proxy } = await openUnconditional(rule);
    const { ring, root } = await newMirror(store, { directory: fileDirectory, images: ["debian-12"] });
    const other = new S3Store(
      { bucket: new URL(url).host, prefix: "mirror/" },
      { endpoint: proxy.url, credentials: s3.credentials, settleMs: 1000 },
    );
    const versions = ["20261121.0", "20261122.0"];
    const publishers = [await signWith(ring, faulty), await signWith(ring, other)];
    await Promise.all(
      versions.map((version, index) => patiently(() => publishSample(publishers[index] ?? store, version))),
    );
    const endpoint = { endpoint: proxy.url, credentials: s3.credentials };
    const mirror = openMirror(url, { root }, { s3: endpoint });
    expect(await listImages(mirror)).toMatchObject([
      { versions: versions.toReversed(), channels: { stable: "20261122.0" } },
    ]);
    for (const version of versions) await resolveImage(mirror, `debian-12@${version}`, { arch: "amd64" });
  });

  test("of four who create at once one does", { timeout: 300_000 }, async () => {
    const { faulty } = await openUnconditional(rule);
    const contents = ["1", "2", "3", "4"];
    const outcomes = await Promise.allSettled(
      contents.map((content) => patiently(() => faulty.write("object", Buffer.from(content), { ifAbsent: true }))),
    );
    const created = contents.filter((_, index) => outcomes[index]?.status === "fulfilled");
    expect(created).toHaveLength(1);
    expect([(await collect(faulty.read("object"))).toString()]).toEqual(created);
  });

  test("of two syncs at once one works", async () => {
    const { faulty } = await openUnconditional(rule);
    const settled = Promise.withResolvers<void>();
    const runs = [1, 2].map(() => patiently(() => withSyncLock(faulty, {}, () => settled.promise)));
    await expect(Promise.race(runs)).rejects.toMatchObject({ code: "sync-running" });
    settled.resolve();
    expect((await Promise.allSettled(runs)).filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });
});

async function publishSample(store: Store, version: string): Promise<void> {
  await using directory = await temporaryDirectory();
  await writeSampleImage(directory.path, makeSampleImage({ version }));
  await publish(store, directory.path, { emit });
}

test("a server that keeps them is asked twice, and nothing is said", async () => {
  const said: string[] = [];
  const { faulty, proxy } = await s3.open({ onWarning: (text) => said.push(text) });
  await faulty.write("first", Buffer.from("1"), { ifAbsent: true });
  const before = proxy.asked.length;
  await faulty.write("second", Buffer.from("2"), { ifAbsent: true });
  expect(proxy.asked.slice(before).map(({ action }) => action)).toEqual(["PutObject"]);
  expect(said).toEqual([]);
});

test("a lock that a killed writer left expires", async () => {
  const [, rule] = kinds[0] ?? expect.unreachable();
  const { store, faulty, proxy } = await openUnconditional(rule);
  const { endpoint, bucket } = { endpoint: proxy.url, bucket: new URL(store.url).host };
  const locks = new S3Store({ bucket, prefix: "mirror/.metalcast/locks/" }, { endpoint, credentials: s3.credentials });
  const left = { owner: "o", host: "h", expires: new Date(Date.now() + 2500).toISOString() };
  await locks.write("object", Buffer.from(JSON.stringify(left)));
  await patiently(() => faulty.write("object", Buffer.from("1"), { ifAbsent: true }));
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(left.expires));
  expect(await gather(locks.list(""))).toEqual([]);
});

test("who is slower than others wait does not take a lock", async () => {
  const [, rule] = kinds[0] ?? expect.unreachable();
  const { faulty, store } = await openUnconditional(rule, 1);
  const writing = faulty.write("object", Buffer.from("1"), { ifAbsent: true });
  await expect(writing).rejects.toMatchObject({ code: "store-slow", kind: "retry" });
  expect(await store.stat("object")).toBeUndefined();
});
