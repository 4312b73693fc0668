import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { zstdCompress } from "node:zlib";
import { expect, test } from "vitest";
import { run } from "../../common/run.ts";
import { layImage } from "../../installer/lay-image.ts";
import { type Manifest, parseManifest } from "../../mirror/manifest.ts";
import { type PlannedImage, publishTree } from "../bench/publish-tree.ts";
import { compareTrees, describeTree, latestTime, makeRichTree } from "../factory/rich-tree.ts";
import { type MisbehavingServer, startMisbehavingServer } from "../mirror/misbehaving-server.ts";
import { makeSampleImage, sampleBytes, sha256, temporaryDirectory } from "../mirror/sample-image.ts";
import { serveDirectory } from "../mirror/serve-directory.ts";

const frameBytes = 4 * 2 ** 20;

interface Published extends AsyncDisposable {
  image: PlannedImage;
  manifest: Manifest;
  /** The archive in the mirror. */
  archive: string;
  /** Empty. */
  target: string;
  server: MisbehavingServer;
}

/** Publishes a tree, and serves it by a web server whose answers may be changed. */
async function publishAndServe(
  makeTree: (root: string) => Promise<void>,
  shardBytes: number,
  change: (serve: RequestListener) => RequestListener = (serve) => serve,
): Promise<Published> {
  const directory = await temporaryDirectory();
  const [tree, target] = [join(directory.path, "tree"), join(directory.path, "target")];
  await makeTree(tree);
  await mkdir(target);
  const mirror = join(directory.path, "mirror");
  const server = await startMisbehavingServer(change(serveDirectory(mirror)));
  const image = await publishTree({ tree, latestTime, shardBytes }, directory.path, server.url);
  return {
    image,
    manifest: parseManifest(await readFile(join(mirror, image.prefix, "manifest.json"))),
    archive: join(mirror, image.prefix, "image.tar.zst"),
    target,
    server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

const lay = ({ image, target }: Published, signal = new AbortController().signal, advance = () => {}) =>
  layImage({ kind: "lay-image", name: "lay-image", title: "lay", image, target }, advance, signal);

/** Two files of several frames each, whose every frame differs. */
async function makeLargeTree(root: string): Promise<void> {
  await mkdir(root);
  for (const name of ["a", "b"]) {
    const frames = Array.from({ length: 3 }, (_, index) => {
      const bytes = Buffer.alloc(frameBytes, `${name}${index}`);
      sampleBytes(`${name}${index}`, 100_000).copy(bytes);
      return bytes;
    });
    await writeFile(join(root, name), Buffer.concat(frames));
  }
}

/**
 * An image whose frames have the given plain size, most of them zeros and every eighth one incompressible, and 2 GiB of
 * them. It is served out of a few buffers, and laid into devices that swallow it.
 */
async function serveEndlessImage(plainBytes: number, target: string) {
  const shardCount = 8;
  const framesPerShard = 2 ** 31 / shardCount / plainBytes;
  const random = await pack(randomBytes(plainBytes - 2 ** 16));
  const zeros = await pack(Buffer.alloc(plainBytes - 2 ** 16));
  const served: PackedBytes[] = [];
  const shards: Manifest["shards"] = [];
  for (let shard = 0; shard < shardCount; shard += 1) {
    const name = `sink-${shard}`;
    await run("mknod", [join(target, name), "c", "1", "3"], { doing: "making a device that swallows all" });
    const content = Array.from({ length: framesPerShard }, (_, index) => (index % 8 === 0 ? random : zeros));
    const size = (plainBytes - 2 ** 16) * framesPerShard;
    const frames = [await pack(memberHeader(name, size)), ...content];
    const sum = frames.reduce((total, frame) => total + frame.plainBytes, 0);
    shards.push({ content: "files", firstFrame: served.length, frameCount: frames.length, plainBytes: sum });
    served.push(...frames);
  }
  let offset = 0;
  const frames = served.map(({ bytes, ...frame }) => {
    offset += bytes.length;
    return { offset: offset - bytes.length, sizeBytes: bytes.length, ...frame };
  });
  const files = [{ path: "image.tar.zst", sizeBytes: offset, sha256: sha256(Buffer.of()) }];
  const manifest = Buffer.from(JSON.stringify({ ...makeSampleImage().manifest, files, frames, shards }));
  const server = await startMisbehavingServer((request, response) => {
    if (request.url?.endsWith("manifest.json")) return response.end(manifest);
    const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    if (!start || !end) return response.writeHead(200, { "content-length": offset }).end();
    const first = frames.findIndex((frame) => frame.offset === Number(start));
    const after = frames.findIndex((frame) => frame.offset === Number(end) + 1);
    const wanted = served.slice(first, after < 0 ? served.length : after).map(({ bytes }) => bytes);
    response.writeHead(206, {
      "content-range": `bytes ${start}-${end}/${offset}`,
      "content-length": Number(end) + 1 - Number(start),
    });
    return Readable.from(wanted).pipe(response);
  });
  const image: PlannedImage = {
    mirror: server.url,
    prefix: "images/endless/",
    name: "endless",
    version: "20261123.0",
    manifestSha256: sha256(manifest),
    unpackedBytes: 0,
  };
  return { image, server };
}

interface PackedBytes {
  bytes: Buffer;
  plainBytes: number;
  sha256: string;
}

async function pack(plain: Buffer): Promise<PackedBytes> {
  const bytes = await promisify(zstdCompress)(plain);
  return { bytes, plainBytes: plain.length, sha256: sha256(bytes) };
}

/** A header block (POSIX pax, "ustar Interchange Format"). */
function memberHeader(name: string, sizeBytes: number): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, "0")}\0`;
  header.write(`./${name}`, 0);
  header.write(octal(0o644, 8) + octal(0, 8) + octal(0, 8) + octal(sizeBytes, 12) + octal(0, 12), 100, "latin1");
  header.write("        0", 148);
  header.write("ustar\x0000", 257, "latin1");
  header.write(
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      7,
    ),
    148,
    "latin1",
  );
  return header;
}

async function expectNoTar(target: string): Promise<void> {
  const { stdout } = await run("ps", ["-eo", "args"], { doing: "listing processes" });
  expect(stdout).not.toContain(`--directory=${target}`);
}

test("lays all that tar can keep, by shards side by side", async () => {
  await using published = await publishAndServe(makeRichTree, 100_000);
  expect(published.manifest.shards.length).toBeGreaterThan(8);
  await lay(published);
  const tree = join(published.target, "../tree");
  expect(await describeTree(published.target)).toBe(await describeTree(tree));
  await compareTrees(published.target, tree);
});

test("a connection that breaks in every shard: each goes on at the frame where it broke", async () => {
  const cutShards = new Set<string>();
  const starts: number[] = [];
  const breaking = (serve: RequestListener): RequestListener => {
    return (request, response) => {
      const [, start = "", end = ""] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
      if (start) starts.push(Number(start));
      if (start && !cutShards.has(end)) {
        cutShards.add(end);
        const write = response.write.bind(response);
        let left = Math.floor((Number(end) - Number(start)) * 0.7);
        response.write = (chunk: Uint8Array) => {
          const part = chunk.subarray(0, left);
          left -= part.length;
          return write(part, () => left === 0 && request.socket.destroy());
        };
      }
      serve(request, response);
    };
  };
  await using published = await publishAndServe(makeLargeTree, 1, breaking);
  await lay(published);
  await compareTrees(published.target, join(published.target, "../tree"));
  const { shards, frames } = published.manifest;
  expect(cutShards.size).toBe(shards.length);
  expect(starts.length).toBe(2 * shards.length);
  const offsets = new Set(frames.map(({ offset }) => offset));
  const first = new Set(shards.map(({ firstFrame }) => frames[firstFrame]?.offset));
  expect(starts.every((start) => offsets.has(start))).toBe(true);
  expect(starts.filter((start) => !first.has(start)).length).toBeGreaterThan(0);
});

test("a tampered frame: nothing of it reaches the disk, and no tar stays", async () => {
  await using published = await publishAndServe(makeLargeTree, 1);
  const { manifest, archive, target } = published;
  const shard = manifest.shards[1];
  const frame = manifest.frames[(shard?.firstFrame ?? 0) + 1];
  const byte = Buffer.alloc(1);
  {
    await using file = await open(archive, "r+");
    const at = (frame?.offset ?? 0) + Math.floor((frame?.sizeBytes ?? 0) / 2);
    await file.read(byte, 0, 1, at);
    await file.write(Buffer.of((byte[0] ?? 0) ^ 1), 0, 1, at);
  }
  await expect(lay(published)).rejects.toMatchObject({
    code: "frame-hash-mismatch",
    kind: "integrity",
    data: { expected: frame?.sha256 },
  });
  const found = await readFile(join(target, "a"));
  const original = await readFile(join(target, "../tree/a"));
  expect(found.length).toBeLessThanOrEqual(frameBytes);
  expect(found.equals(original.subarray(0, found.length))).toBe(true);
  await expectNoTar(target);
});

test.each([4, 16])("memory stays below 256 MiB, with frames of %i MiB and 2 GiB of them", async (mebibytes) => {
  await using directory = await temporaryDirectory();
  const { image, server } = await serveEndlessImage(mebibytes * 2 ** 20, directory.path);
  await using _server = server;
  const script = join(import.meta.dirname, "../bench/lay-ours.ts");
  const { stdout } = await run(process.execPath, [script, JSON.stringify(image), directory.path], { doing: "laying" });
  const peakKibibytes = Number(stdout);
  expect(peakKibibytes).toBeGreaterThan(0);
  expect(peakKibibytes).toBeLessThan(256 * 1024);
});

test("another manifest than the planned one", async () => {
  await using published = await publishAndServe(makeLargeTree, 1);
  const image = { ...published.image, manifestSha256: "0".repeat(64) };
  await expect(lay({ ...published, image })).rejects.toMatchObject({ code: "manifest-hash-mismatch" });
});

test("a tar that fails ends the others", async () => {
  await using published = await publishAndServe(makeLargeTree, 1);
  await mkdir(join(published.target, "a/not-empty"), { recursive: true });
  await expect(lay(published)).rejects.toMatchObject({
    code: "command-failed",
    message: expect.stringContaining("/a"),
  });
  await expectNoTar(published.target);
});

test("the signal ends it, and its processes", async () => {
  await using published = await publishAndServe(makeLargeTree, 1);
  const interrupt = new AbortController();
  const laying = lay(published, interrupt.signal, () => interrupt.abort());
  await expect(laying).rejects.toMatchObject({ code: "interrupted", kind: "interrupted" });
  await expectNoTar(published.target);
  await rm(join(published.target), { recursive: true });
});
