import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readShard } from "../../mirror/frames.ts";
import { openStore } from "../../mirror/open-store.ts";
import { publish } from "../../mirror/publish.ts";
import { resolveImage } from "../../mirror/resolve.ts";
import { collect } from "./gather.ts";
import { startMisbehavingServer } from "./misbehaving-server.ts";
import { makeSampleImage, temporaryDirectory, writeSampleImage } from "./sample-image.ts";

test.each([
  "s3://images",
  "s3://images/a/b",
  "file:///srv/mirror",
  "https://mirror.example.net/x",
  "http://127.0.0.1:1",
])("%s is opened and known by its URL", (url) => {
  expect(openStore(url).url).toBe(url);
});

test.each([
  "",
  "mirror",
  "/srv/mirror",
  "ftp://a/b",
  "s3:",
  "s3:///x",
  "s3://a/../b c",
  "file://host/x",
  "https://a/b?c=d",
  "constructor:x",
])("%j is no store", (url) => {
  expect(() => openStore(url)).toThrow(
    expect.objectContaining({ code: expect.stringMatching(/^(store-url|key)-invalid$/) }),
  );
});

test("credentials in a URL are refused, and not repeated", () => {
  expect(() => openStore("https://user:hunter2@mirror.example.net")).toThrow(
    expect.objectContaining({ code: "store-url-invalid", message: expect.not.stringContaining("hunter2") }),
  );
});

test("a directory store behind a web server is read from there", async () => {
  await using mirror = await temporaryDirectory();
  await using directory = await temporaryDirectory();
  const image = makeSampleImage();
  await writeSampleImage(directory.path, image);
  await publish(openStore(`file://${mirror.path}`), directory.path, { emit: () => undefined });

  await using server = await startMisbehavingServer(async (request, response) => {
    const path = join(mirror.path, request.url ?? "");
    const found = await stat(path).catch(() => undefined);
    if (!found?.isFile()) return response.writeHead(404).end();
    const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    const part = start === undefined ? {} : { start: Number(start), end: Number(end) };
    const length = start === undefined ? found.size : Number(end) - Number(start) + 1;
    const headers = {
      "content-length": length,
      etag: `"${found.mtimeMs}"`,
      "content-range": `bytes ${start}-${end}/${found.size}`,
    };
    response.writeHead(start === undefined ? 200 : 206, headers);
    if (request.method === "HEAD") return response.end();
    return createReadStream(path, part).pipe(response);
  });
  const store = openStore(server.url);
  const { manifest, prefix } = await resolveImage(store, "debian-12", { arch: "amd64" });
  for (const [index, shard] of image.shards.entries()) {
    expect((await collect(readShard(store, `${prefix}image.tar.zst`, manifest, index))).equals(shard)).toBe(true);
  }
  await expect(resolveImage(store, "debian-11", { arch: "amd64" })).rejects.toMatchObject({ code: "image-unknown" });
  await expect(store.write("a", Buffer.from("x"))).rejects.toMatchObject({ code: "store-read-only" });
});
