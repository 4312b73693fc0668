import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { forwardToLoopback, freePort } from "./loopback.ts";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "metalcast-loopback-"));
});

afterAll(() => rm(directory, { recursive: true }));

test("carries a request to the service and its answer back", async () => {
  const port = await freePort();
  const service = createServer(async (incoming, response) => response.end((await text(incoming)).toUpperCase()));
  service.listen(port, "127.0.0.1");
  await once(service, "listening");
  const forward = await forwardToLoopback(directory, [port]);
  const outgoing = request({ socketPath: `${forward.directory}/${port}`, method: "POST", agent: false });
  outgoing.end("x".repeat(1_000_000));
  const [response] = await once(outgoing, "response");
  expect(await text(response)).toBe("X".repeat(1_000_000));
  await forward.close();
  service.close();
});

test("a service that is down is a closed connection", async () => {
  const port = await freePort();
  const forward = await forwardToLoopback(directory, [port]);
  const connection = connect(`${forward.directory}/${port}`);
  connection.on("error", () => undefined).resume();
  await once(connection, "close");
  await forward.close();
});
