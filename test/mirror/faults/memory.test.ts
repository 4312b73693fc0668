import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { truncate, writeFile } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { join } from "node:path";
import { pipeline, Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { run } from "../../../common/run.ts";
import type { Manifest } from "../../../mirror/manifest.ts";
import { s3Action } from "../../lab/s3-actions.ts";
import { startMisbehavingServer } from "../misbehaving-server.ts";
import { makeSampleImage, sha256, temporaryDirectory } from "../sample-image.ts";

const mebibyte = 2 ** 20;
const frameBytes = 4 * mebibyte;

/** A manifest of many frames of the same size and content, one shard of all. */
function describeFrames(packed: Buffer, count: number): Manifest {
  const { manifest } = makeSampleImage();
  const frames = Array.from({ length: count }, (_, index) => {
    const offset = index * packed.byteLength;
    return { offset, sizeBytes: packed.byteLength, plainBytes: frameBytes, sha256: sha256(packed) };
  });
  const shards = [{ content: "files" as const, firstFrame: 0, frameCount: count, plainBytes: count * frameBytes }];
  const files = [{ path: "image.tar.zst", sizeBytes: count * packed.byteLength, sha256: "0".repeat(64) }];
  return { ...manifest, frames, shards, files };
}

function* repeat(bytes: Buffer, times: number): Generator<Buffer> {
  for (let left = times; left > 0; left -= 1) yield bytes;
}

async function runChild(script: string, ...args: string[]) {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const { stdout } = await run(process.execPath, [path, ...args], { doing: `running ${script}` });
  return JSON.parse(stdout);
}

test("an archive of 512 MiB is read in far less, and so is an object without an end", {
  timeout: 300_000,
}, async () => {
  const packed = zstdCompressSync(randomBytes(frameBytes));
  const count = 128;
  const manifest = Buffer.from(JSON.stringify(describeFrames(packed, count)));
  const answer: RequestListener = async (request, response) => {
    const isArchive = request.url === "/image.tar.zst";
    const bodyBytes = isArchive
      ? count * packed.byteLength
      : request.url === "/endless"
        ? 2 ** 40
        : manifest.byteLength;
    const range = `bytes 0-${bodyBytes - 1}/${bodyBytes}`;
    response.writeHead(request.headers.range === undefined ? 200 : 206, {
      ...{ etag: '"1"', "content-length": bodyBytes, "content-range": range },
    });
    if (request.method === "HEAD") response.end();
    else if (request.url === "/manifest.json") response.end(manifest);
    else
      pipeline(Readable.from(repeat(packed, isArchive ? count : Number.POSITIVE_INFINITY)), response, () => undefined);
  };
  await using server = await startMisbehavingServer(answer);
  const { sizeBytes, outcome, peakBytes } = await runChild("./read-in-child.ts", server.url);
  expect(sizeBytes).toBe(512 * mebibyte);
  expect(outcome).toBe("object-overlong");
  expect(peakBytes).toBeLessThan(200 * mebibyte);
});

test("an archive of 768 MiB is published in far less, to a server that takes its time", {
  timeout: 300_000,
}, async () => {
  await using directory = await temporaryDirectory();
  const archive = join(directory.path, "image.tar.zst");
  await writeFile(archive, "");
  const sizeBytes = 768 * mebibyte;
  await truncate(archive, sizeBytes);
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(archive, { highWaterMark: mebibyte })) hash.update(chunk);
  const packed = Buffer.alloc(frameBytes);
  const described = describeFrames(packed, sizeBytes / frameBytes);
  const files = [{ path: "image.tar.zst", sizeBytes, sha256: hash.digest("hex") }];
  await writeFile(join(directory.path, "manifest.json"), JSON.stringify({ ...described, files }));
  await writeFile(join(directory.path, "SHA256SUMS"), "");

  let arrived = 0;
  const there = new Set<string>();
  await using server = await startMisbehavingServer(async (request, response) => {
    for await (const chunk of request) arrived += chunk.byteLength;
    const action = s3Action(request);
    const [path = ""] = (request.url ?? "").split("?");
    const isTaken = there.has(path) && (request.headers["if-match"] ?? request.headers["if-none-match"]) !== undefined;
    if (action === "UploadPart") await delay(20);
    if (isTaken) response.writeHead(412).end("<Error><Code>PreconditionFailed</Code></Error>");
    else if (action === "HeadObject") response.writeHead(there.has(path) ? 200 : 404).end();
    else {
      if (action === "PutObject" || action === "CompleteMultipartUpload") there.add(path);
      response.writeHead(200, { etag: '"1"' }).end(bodies[action] ?? "");
    }
  });
  const { peakBytes } = await runChild("./publish-in-child.ts", server.url, directory.path);
  expect(arrived).toBeGreaterThan(sizeBytes);
  expect(peakBytes).toBeLessThan(300 * mebibyte);
});

const bodies: Record<string, string> = {
  CreateMultipartUpload:
    "<InitiateMultipartUploadResult><Bucket>bucket</Bucket><Key>k</Key><UploadId>1</UploadId></InitiateMultipartUploadResult>",
  CompleteMultipartUpload:
    "<CompleteMultipartUploadResult><Bucket>bucket</Bucket><Key>k</Key><ETag>1</ETag></CompleteMultipartUploadResult>",
};
