import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { openStore } from "../../mirror/open-store.ts";
import type { Store } from "../../mirror/store.ts";
import { collect, gather } from "./gather.ts";
import { startMisbehavingServer } from "./misbehaving-server.ts";

const credentials = { accessKeyId: "a", secretAccessKey: "b" };
const range = { start: 0, end: 100 };

/** The stores that speak HTTP must not believe what comes over it. */
const kinds: [string, (url: string) => Store][] = [
  ["S3", (endpoint) => openStore("s3://bucket/mirror", { s3: { endpoint, credentials } })],
  ["HTTP", (url) => openStore(`${url}/mirror`)],
];

/** Sends what it has to say, then ends the connection in the middle of the body. */
function cut(response: ServerResponse, bytes: number): void {
  response.write(Buffer.alloc(bytes), () => response.destroy());
}

describe.each(kinds)("%s", (_, open) => {
  test.each([0, 1, 99])("a body cut after %i of 100 bytes", async (bytes) => {
    await using server = await startMisbehavingServer((_request, response) => {
      response.writeHead(206, { "content-length": 100, "content-range": "bytes 0-99/1000" });
      response.flushHeaders();
      cut(response, bytes);
    });
    const reading = collect(open(server.url).read("object", { range }));
    await expect(reading).rejects.toMatchObject({ code: "download-cut", kind: "retry" });
  });

  test.each<[string, number, Record<string, string>, number]>([
    ["another range", 206, { "content-range": "bytes 100-199/1000" }, 100],
    ["a shorter range", 206, { "content-range": "bytes 0-49/50" }, 50],
    ["a longer range", 206, { "content-range": "bytes 0-199/1000" }, 200],
    ["no range at all", 206, {}, 100],
    ["the whole object", 200, {}, 1000],
  ])("%s in place of the one asked for", async (_name, status, headers, bytes) => {
    await using server = await startMisbehavingServer((_request, response) => {
      response.writeHead(status, { "content-length": bytes, ...headers });
      response.end(Buffer.alloc(bytes));
    });
    const reading = collect(open(server.url).read("object", { range }));
    await expect(reading).rejects.toMatchObject({ kind: "integrity" });
  });

  test("a body without a length and without an end", async () => {
    await using server = await startMisbehavingServer((_request, response) => {
      response.writeHead(206, { "content-range": "bytes 0-99/1000" });
      const pour = () => {
        while (!response.destroyed && response.write(Buffer.alloc(2 ** 16)));
        response.once("drain", pour);
      };
      pour();
    });
    const reading = collect(open(server.url).read("object", { range }));
    await expect(reading).rejects.toMatchObject({ kind: "integrity" });
  });

  test.each([500, 503, 429])("status %i is worth retrying", async (status) => {
    await using server = await startMisbehavingServer((_request, response) => {
      response.writeHead(status).end();
    });
    const reading = collect(open(server.url).read("object"));
    await expect(reading).rejects.toMatchObject({ code: "store-unreachable", kind: "retry" });
  });

  test("status 403 is not", async () => {
    await using server = await startMisbehavingServer((_request, response) => {
      response.writeHead(403).end();
    });
    const reading = collect(open(server.url).read("object"));
    await expect(reading).rejects.toMatchObject({ code: "store-denied", kind: "configuration" });
    expect(server.requests()).toBe(1);
  });

  test("nobody there: says who was asked", async () => {
    const server = await startMisbehavingServer(() => undefined);
    await server[Symbol.asyncDispose]();
    const failure = { code: "store-unreachable", kind: "retry", message: expect.stringContaining(server.url) };
    const store = open(server.url);
    await expect(store.stat("object")).rejects.toMatchObject(failure);
    await expect(collect(store.read("object"))).rejects.toMatchObject(failure);
  });

  test("an answer that never comes can be interrupted", async () => {
    const asked = Promise.withResolvers<void>();
    await using server = await startMisbehavingServer(() => asked.resolve());
    const interrupt = new AbortController();
    const reading = collect(open(server.url).read("object", { signal: interrupt.signal }));
    asked.promise.then(() => interrupt.abort());
    await expect(reading).rejects.toMatchObject({ kind: "interrupted" });
  });
});

test("an unreachable S3 server can't be written to or listed either", async () => {
  const server = await startMisbehavingServer(() => undefined);
  await server[Symbol.asyncDispose]();
  const store = openStore("s3://bucket", { s3: { endpoint: server.url, credentials } });
  const failure = { code: "store-unreachable", kind: "retry" };
  await expect(store.write("object", Buffer.from("x"))).rejects.toMatchObject(failure);
  await expect(gather(store.list(""))).rejects.toMatchObject(failure);
});
