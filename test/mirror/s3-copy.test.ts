import { once } from "node:events";
import { createServer } from "node:http";
import { HeadObjectCommand, ListMultipartUploadsCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, describe, expect, test } from "vitest";
import { openStore } from "../../mirror/open-store.ts";
import { type S3Options, S3Store } from "../../mirror/s3-store.ts";
import { startCephS3 } from "../lab/ceph-s3.ts";
import { collect } from "./gather.ts";
import { sampleBytes, sha256 } from "./sample-image.ts";
import { keysOf } from "./sync/unsigned-mirror.ts";

describe("on a real server", async () => {
  const server = await startCephS3();
  afterAll(() => server[Symbol.asyncDispose]());
  const { endpoint, credentials } = server;
  const client = new S3Client({ endpoint, credentials, region: "us-east-1", forcePathStyle: true });

  async function openBucket(options: S3Options = {}) {
    const bucket = await server.createBucket();
    return { bucket, store: openStore(`s3://${bucket}/mirror`, { s3: { endpoint, credentials, ...options } }) };
  }

  test("an object beyond what is copied at once is copied in parts", async () => {
    const limit = { copyLimitBytes: 5 * 2 ** 20 };
    const from = await openBucket();
    const to = await openBucket(limit);
    const content = sampleBytes("large", 12 * 2 ** 20 + 5);
    const written = await from.store.write("large", content);
    const copied = await to.store.copyFrom?.(from.store, written, { contentType: "application/zstd" });
    expect(copied).toEqual(await to.store.stat("large"));
    expect(sha256(await collect(to.store.read("large")))).toBe(sha256(content));
    const { ETag, ContentType } = await client.send(new HeadObjectCommand({ Bucket: to.bucket, Key: "mirror/large" }));
    expect([ETag, ContentType]).toEqual([expect.stringMatching(/-3"$/), "application/zstd"]);
  });

  test.each([5 * 2 ** 30, 5 * 2 ** 20])(
    "only what was seen is copied, with %i bytes at once",
    async (copyLimitBytes) => {
      const from = await openBucket();
      const to = await openBucket({ copyLimitBytes });
      const seen = await from.store.write("object", Buffer.alloc(6 * 2 ** 20));
      await from.store.write("object", Buffer.alloc(6 * 2 ** 20, 1));
      const changed = { code: "object-changed" };
      await expect(to.store.copyFrom?.(from.store, seen)).rejects.toMatchObject(changed);
      await from.store.remove("object");
      await expect(to.store.copyFrom?.(from.store, seen)).rejects.toMatchObject(changed);
      expect(await keysOf(to.store)).toEqual([]);
      const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: to.bucket }));
      expect(Uploads ?? []).toEqual([]);
    },
  );

  test("what the server says of an object's SHA-256 is held to", async () => {
    const from = await openBucket();
    const to = await openBucket();
    const content = Buffer.from("what its writer has said the SHA-256 of");
    const put = { Bucket: from.bucket, Key: "mirror/object", Body: content, ChecksumAlgorithm: "SHA256" as const };
    await client.send(new PutObjectCommand(put));
    const object = (await from.store.stat("object")) ?? expect.unreachable();
    expect(await to.store.copyFrom?.(from.store, object)).toMatchObject({ sha256: sha256(content) });
  });
});

describe("a server that can't copy is told from one that fails", () => {
  /** Answers every copy as it is told, and writes an empty object. */
  async function startServer({ status, says }: { status: number; says: string }) {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.method ?? "");
      const isCopy = request.headers["x-amz-copy-source"] !== undefined;
      response.statusCode = isCopy ? status : 200;
      response.end(isCopy ? says : "");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" ? address?.port : expect.unreachable();
    const endpoint = `http://127.0.0.1:${port}`;
    const credentials = { accessKeyId: "a", secretAccessKey: "b" };
    const open = (bucket: string) => new S3Store({ bucket, prefix: "" }, { endpoint, credentials });
    const stop = async () => {
      server.closeAllConnections();
      server.close();
    };
    return { from: open("from"), to: open("to"), asked, [Symbol.asyncDispose]: stop };
  }
  const object = { key: "object", sizeBytes: 7, etag: '"1"' };

  test.each([
    [400, "InvalidArgument"],
    [403, "AccessDenied"],
    [404, "NoSuchBucket"],
    [405, "MethodNotAllowed"],
    [501, "NotImplemented"],
  ])("%i %s is a refusal", async (status, name) => {
    await using server = await startServer({ status, says: `<Error><Code>${name}</Code></Error>` });
    const copying = server.to.copyFrom(server.from, object);
    const message = expect.stringContaining(`does not copy it by itself: it answers ${status} ${name}`);
    await expect(copying).rejects.toMatchObject({ code: "copy-refused", message });
  });

  test.each([
    [404, "NoSuchKey", "object-changed"],
    [412, "PreconditionFailed", "object-changed"],
  ])("%i %s is none", async (status, name, code) => {
    await using server = await startServer({ status, says: `<Error><Code>${name}</Code></Error>` });
    await expect(server.to.copyFrom(server.from, object)).rejects.toMatchObject({ code });
  });

  test.each([
    ["", /does not copy it by itself: S3 aborted request/],
    ["<CopyObjectResult><ETag>0</ETag></CopyObjectResult>", /it makes 0 bytes of 7/],
  ])("what is no copy is removed: it answers %j", async (says, message) => {
    await using server = await startServer({ status: 200, says });
    const failure = { code: "copy-refused", message: expect.stringMatching(message) };
    await expect(server.to.copyFrom(server.from, object)).rejects.toMatchObject(failure);
    expect(server.asked.at(-1)).toBe("DELETE");
  });
});
