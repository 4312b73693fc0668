import { expect, test } from "vitest";
import { HttpStore } from "../../mirror/http-store.ts";
import { collect } from "./gather.ts";
import { startMisbehavingServer } from "./misbehaving-server.ts";

const stallMs = 200;

test("a server that redirects is not followed, and where to is told", async () => {
  await using server = await startMisbehavingServer((_request, response) => {
    response.writeHead(301, { location: "https://mirror.example.net/object" }).end();
  });
  const store = new HttpStore(new URL(server.url));
  const moved = { code: "store-moved", message: expect.stringContaining("https://mirror.example.net/object") };
  await expect(store.stat("object")).rejects.toMatchObject(moved);
  await expect(collect(store.read("object"))).rejects.toMatchObject(moved);
  expect(server.requests()).toBe(2);
});

test("a server that never answers is given up, and may be tried again", async () => {
  await using server = await startMisbehavingServer(() => undefined);
  const store = new HttpStore(new URL(server.url), stallMs);
  await expect(store.stat("object")).rejects.toMatchObject({
    code: "store-unreachable",
    kind: "retry",
    message: expect.stringContaining("nothing came for 0.2 s"),
  });
});

test("so is a body that stands still", async () => {
  await using server = await startMisbehavingServer((_request, response) => {
    response.writeHead(200, { "content-length": 100 });
    response.write("x");
  });
  const store = new HttpStore(new URL(server.url), stallMs);
  await expect(collect(store.read("object"))).rejects.toMatchObject({
    code: "download-cut",
    kind: "retry",
    message: expect.stringContaining("nothing came for 0.2 s"),
  });
});

test("and one that trickles, before all of it has come", async () => {
  await using server = await startMisbehavingServer((_request, response) => {
    response.writeHead(200, { "content-length": 1000 });
    const timer = setInterval(() => response.write("x"), 10);
    response.on("close", () => clearInterval(timer));
  });
  const store = new HttpStore(new URL(server.url), stallMs);
  await expect(collect(store.read("object"))).rejects.toMatchObject({
    code: "download-cut",
    kind: "retry",
    message: expect.stringMatching(/only \d+ bytes came in/),
  });
});

test("an object of unknown length is refused, whole as it may be", async () => {
  await using server = await startMisbehavingServer((_request, response) => {
    response.writeHead(200, { "transfer-encoding": "chunked" });
    response.end("x");
  });
  const store = new HttpStore(new URL(server.url));
  const unknown = { code: "length-unknown", kind: "integrity" };
  await expect(collect(store.read("object"))).rejects.toMatchObject(unknown);
  await expect(store.stat("object")).rejects.toMatchObject(unknown);
});

test("a reader that takes its time is no stall", async () => {
  const body = Buffer.alloc(2 ** 24, "x");
  await using server = await startMisbehavingServer((_request, response) => {
    response.writeHead(200, { "content-length": body.length }).end(body);
  });
  let received = 0;
  for await (const chunk of new HttpStore(new URL(server.url), stallMs).read("object")) {
    // Longer than the limit, while the connection, which is full, stands still.
    if (received === 0) await new Promise((resolve) => setTimeout(resolve, 3 * stallMs));
    received += chunk.length;
  }
  expect(received).toBe(body.length);
});
