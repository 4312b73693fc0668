import { ListMultipartUploadsCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, describe, expect, test } from "vitest";
import { S3Store } from "../../../mirror/s3-store.ts";
import type { Store } from "../../../mirror/store.ts";
import { type Asked, times } from "../../lab/fault-proxy.ts";
import { collect, gather } from "../gather.ts";
import { startFaultyS3 } from "./faulty-s3.ts";

const s3 = await startFaultyS3();
afterAll(() => s3[Symbol.asyncDispose]());

/** Three parts. */
async function* large() {
  for (let index = 0; index < 40; index += 1) yield Buffer.alloc(2 ** 20, index);
}

async function* failing() {
  yield* large();
  throw new Error("the disk caught fire");
}

const reading = (store: Store) => collect(store.read("there"));
const writing = (store: Store) => store.write("new", Buffer.from("x"));
const uploading = (store: Store) => store.write("new", large());

describe("a right that is missing", () => {
  test.each<[string, string, string, (store: Store) => Promise<unknown>]>([
    ["PutObject", "s3:PutObject", "/mirror/*", writing],
    ["GetObject", "s3:GetObject", "/mirror/*", reading],
    ["HeadObject", "s3:GetObject", "/mirror/*", (store) => store.stat("there")],
    ["ListObjectsV2", "s3:ListBucket", "", (store) => gather(store.list(""))],
    ["DeleteObject", "s3:DeleteObject", "/mirror/*", (store) => store.remove("there")],
    ["CreateMultipartUpload", "s3:PutObject", "/mirror/*", uploading],
    ["UploadPart", "s3:PutObject", "/mirror/*", uploading],
    ["CompleteMultipartUpload", "s3:PutObject", "/mirror/*", uploading],
    ["ListMultipartUploads", "s3:ListBucketMultipartUploads", "", (store) => gather(store.listUnfinished?.("") ?? [])],
  ])("%s: the message names it, the hint %s", async (action, right, resource, work) => {
    const { url, store, faulty, proxy } = await s3.open();
    await store.write("there", Buffer.from("before"));
    proxy.rule = denying(action);
    await expect(work(faulty)).rejects.toMatchObject({
      code: "store-denied",
      kind: "configuration",
      message: expect.stringContaining(`${proxy.url} does not allow ${action}`),
      hint: expect.stringContaining(`${right} on arn:aws:s3:::${new URL(url).host}${resource}`),
    });
    expect((await gather(store.list(""))).map(({ key }) => key)).toEqual(["there"]);
    expect(await uploadsOf(url)).toEqual([]);
  });

  test("to remove the parts of an upload that failed: what is told is why it failed, and a prune removes them", async () => {
    const { url, faulty, proxy } = await s3.open();
    proxy.rule = denying("AbortMultipartUpload");
    await expect(faulty.write("new", failing())).rejects.toThrow("the disk caught fire");
    const [left] = await gather(faulty.listUnfinished?.("") ?? []);
    expect(left?.name).toBe("new");
    await expect(left?.discard()).rejects.toMatchObject({
      code: "store-denied",
      hint: expect.stringContaining("s3:AbortMultipartUpload on arn:aws:s3:::"),
    });
    proxy.rule = () => undefined;
    await left?.discard();
    expect(await uploadsOf(url)).toEqual([]);
  });
});

const denying = (action: string) => (asked: Asked) =>
  asked.action === action ? { answer: { status: 403, code: "AccessDenied" } } : undefined;

async function uploadsOf(url: string): Promise<unknown[]> {
  const client = new S3Client({
    endpoint: s3.endpoint,
    credentials: s3.credentials,
    region: "us-east-1",
    forcePathStyle: true,
  });
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: new URL(url).host }));
  return Uploads;
}

describe("credentials that expire in the middle of an upload", () => {
  const expired = { answer: { status: 400, code: "ExpiredToken" } };
  const resigned = { strip: ["x-amz-security-token"] };

  /** The server takes a token for so many requests. */
  function expiring(requests: number) {
    let taken = 0;
    return ({ headers }: Asked) => {
      if (headers["x-amz-security-token"] !== "first") return resigned;
      taken += 1;
      return taken > requests ? expired : resigned;
    };
  }

  test("it goes on with new ones, where there are any", async () => {
    let given = 0;
    const provider = async () => {
      given += 1;
      return { ...s3.credentials, sessionToken: given === 1 ? "first" : "second" };
    };
    const { store, faulty, proxy } = await s3.open({ credentials: provider });
    proxy.rule = expiring(2);
    await faulty.write("new", large());
    expect(given).toBe(2);
    expect(await store.stat("new")).toMatchObject({ sizeBytes: 40 * 2 ** 20 });
  });

  test("where there are none, the message says so", async () => {
    const { faulty, proxy, store } = await s3.open({ credentials: { ...s3.credentials, sessionToken: "first" } });
    proxy.rule = expiring(2);
    await expect(faulty.write("new", large())).rejects.toMatchObject({
      code: "store-denied",
      kind: "configuration",
      message: expect.stringContaining("the credentials have expired"),
      hint: expect.stringContaining("get new ones and run it again"),
    });
    expect(await gather(store.list(""))).toEqual([]);
    await expect(faulty.stat("new")).rejects.toMatchObject({ hint: expect.stringContaining("get new ones") });
  });
});

describe("a clock that is wrong", () => {
  const skewed = (headers: Record<string, string>) => ({
    answer: { status: 403, code: "RequestTimeTooSkewed", headers },
  });

  test("is corrected by the server's", async () => {
    const { faulty, proxy } = await s3.open();
    const date = new Date(Date.now() + 3_600_000);
    const behind = ({ headers }: Asked) => headers["x-amz-date"] && headers["x-amz-date"] < compact(date);
    proxy.rule = (asked) => (behind(asked) ? skewed({ date: date.toUTCString() }) : { answer: { status: 200 } });
    await faulty.write("new", Buffer.from("x"));
    expect(proxy.asked).not.toHaveLength(0);
  });

  test("or told", async () => {
    const { faulty, proxy } = await s3.open();
    proxy.rule = () => skewed({ date: new Date().toUTCString() });
    await expect(faulty.write("new", Buffer.from("x"))).rejects.toMatchObject({
      code: "store-denied",
      message: expect.stringContaining("the clock differs"),
      hint: "set this machine's clock",
    });
  });
});

/** As in X-Amz-Date, a few minutes before. */
const compact = (date: Date) => new Date(date.getTime() - 300_000).toISOString().replace(/[-:]|\.\d+/g, "");

describe("answers that are worth another request", () => {
  test.each([500, 503, 429])("%i, twice: nobody notices", async (status) => {
    const { store, faulty, proxy } = await s3.open();
    for (const action of ["PutObject", "HeadObject", "GetObject", "ListObjectsV2", "DeleteObject"]) {
      proxy.rule = times(2, (asked) => (asked.action === action ? { answer: { status } } : undefined));
      await faulty.write("object", Buffer.from(action));
      expect(await faulty.stat("object")).toBeDefined();
      expect((await collect(faulty.read("object"))).toString()).toBe(action);
      expect(await gather(faulty.list(""))).toHaveLength(1);
      await faulty.remove("object");
      expect(await store.stat("object")).toBeUndefined();
    }
  });

  test("503 with Retry-After: it is left alone for so long, and whoever tries again is told how long", async () => {
    const { faulty, proxy } = await s3.open();
    const busy = { answer: { status: 503, code: "SlowDown", headers: { "retry-after": "1" } } };
    proxy.rule = times(1, () => busy);
    const startedAt = performance.now();
    await faulty.stat("object");
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(990);
    proxy.rule = () => busy;
    await expect(faulty.stat("object")).rejects.toMatchObject({ kind: "retry", data: { retryAfterMs: 1000 } });
  });

  test.each(["PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])(
    "%s is done, and its answer lost: the condition holds",
    async (action) => {
      const { store, faulty, proxy } = await s3.open();
      await faulty.write("first", Buffer.from("x"), { ifAbsent: true });
      proxy.rule = times(1, (asked) => (asked.action === action ? { loseAnswer: true } : undefined));
      const body = action === "PutObject" ? Buffer.alloc(40 * 2 ** 20, 7) : large();
      const outcome = await faulty.write("new", body, { ifAbsent: true }).then(
        () => "written",
        (error: unknown) => error,
      );
      // Whoever asked cannot know that the object there is its own.
      if (outcome !== "written")
        expect(outcome).toMatchObject({ code: expect.stringMatching(/^object-(exists|missing)$/) });
      const found = await store.stat("new");
      if (outcome === "written" || action === "PutObject") expect(found).toMatchObject({ sizeBytes: 40 * 2 ** 20 });
    },
  );
});

describe("a server that is silent", () => {
  test.each<[string, (store: Store) => Promise<unknown>]>([
    ["reading", reading],
    ["writing", writing],
    ["listing", (store) => gather(store.list(""))],
  ])("%s ends by itself", async (_, work) => {
    const { store, faulty, proxy } = await s3.open({ stallMs: 100 });
    await store.write("there", Buffer.from("x"));
    proxy.rule = () => ({ silence: true });
    await expect(work(faulty)).rejects.toMatchObject({ code: "store-unreachable", kind: "retry" });
    expect(proxy.asked.length).toBeGreaterThan(0);
  });

  test("a body that falls silent is broken off", async () => {
    const { store, faulty, proxy } = await s3.open({ stallMs: 200 });
    await store.write("there", Buffer.alloc(100_000));
    proxy.rule = () => ({ stallAfter: 1000 });
    await expect(reading(faulty)).rejects.toMatchObject({ code: "download-cut", kind: "retry" });
  });

  test("a body that trickles is broken off", async () => {
    const { store, faulty, proxy } = await s3.open({ stallMs: 1000 });
    await store.write("there", Buffer.alloc(100_000));
    proxy.rule = () => ({ drip: { bytes: 1, everyMs: 20 } });
    await expect(reading(faulty)).rejects.toMatchObject({
      code: "download-cut",
      kind: "retry",
      message: expect.stringMatching(/only \d+ bytes came in/),
    });
  });
});

test("a bucket that is not there is told from rights that are missing", async () => {
  const { proxy } = await s3.open();
  const store = new S3Store({ bucket: "missing", prefix: "" }, { endpoint: proxy.url, credentials: s3.credentials });
  await expect(store.write("new", Buffer.from("x"), { ifAbsent: true })).rejects.toMatchObject({
    code: "store-missing",
  });
});
