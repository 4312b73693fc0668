import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { DirectoryStore } from "../../../mirror/directory-store.ts";
import { readShard } from "../../../mirror/frames.ts";
import { HttpStore } from "../../../mirror/http-store.ts";
import { publish } from "../../../mirror/publish.ts";
import { resolveImage } from "../../../mirror/resolve.ts";
import { TrustedReader } from "../../../mirror/trust/reader.ts";
import { SignedStore } from "../../../mirror/trust/signed-store.ts";
import { fileDirectory } from "../../file-directory.ts";
import { type Asked, type Fault, startFaultProxy, times } from "../../lab/fault-proxy.ts";
import { collect } from "../gather.ts";
import { startMisbehavingServer } from "../misbehaving-server.ts";
import { makeSampleImage, temporaryDirectory, writeSampleImage } from "../sample-image.ts";
import { serveDirectory } from "../serve-directory.ts";
import { newMirror } from "../trust/new-mirror.ts";

const directory = await temporaryDirectory();
afterAll(() => directory[Symbol.asyncDispose]());
const image = makeSampleImage({ frameSizes: [[700], [50_000, 60_000, 9000], [700]] });
const store = new DirectoryStore(directory.path);
const { mirror, root } = await newMirror(store, { directory: fileDirectory, images: ["debian-12"] });
await using built = await temporaryDirectory();
await writeSampleImage(built.path, image);
await publish(mirror, built.path, { emit: () => undefined });

const server = await startMisbehavingServer(serveDirectory(directory.path));
const proxy = await startFaultProxy(server.url);
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** Reads an image as an installation does: what is signed, the manifest, and all shards side by side. */
async function install(stallMs = 2000): Promise<Buffer[]> {
  const web = new HttpStore(new URL(proxy.url), stallMs);
  const reader = new SignedStore(web, new TrustedReader(web, Buffer.from(root)));
  const { manifest, prefix } = await resolveImage(reader, "debian-12", { arch: "amd64" });
  const shards = manifest.shards.map((_, index) =>
    collect(readShard(reader, `${prefix}image.tar.zst`, manifest, index, { retryDelayMs: 1 })),
  );
  return Promise.all(shards);
}

const isWhole = (shards: Buffer[]) => shards.every((plain, index) => plain.equals(image.shards[index] ?? Buffer.of()));
const ofArchive = (fault: Fault) => (asked: Asked) => (asked.path.endsWith(".zst") ? fault : undefined);
const ofBodies = (fault: Fault) => (asked: Asked) =>
  asked.path.endsWith(".zst") && asked.method === "GET" ? fault : undefined;

test("connections that are reset at any byte: what arrives is whole", async () => {
  const offset = fc.nat(image.archive.byteLength);
  await fc.assert(
    fc.asyncProperty(fc.array(offset, { minLength: 1, maxLength: 6 }), async (offsets) => {
      const left = [...offsets];
      proxy.rule = (asked) => {
        const cutAfter = asked.path.endsWith(".zst") && asked.method === "GET" ? left.pop() : undefined;
        return cutAfter === undefined ? undefined : { cutAfter };
      };
      expect(isWhole(await install())).toBe(true);
    }),
    { numRuns: 25, seed: 20261130 },
  );
});

test("any byte that is another one is refused, or of no frame that is read", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(image.archive.byteLength - 1), async (corruptAt) => {
      proxy.rule = times(1, ofBodies({ corruptAt }));
      const outcome = await install().catch((error: unknown) => error);
      if (Array.isArray(outcome)) expect(isWhole(outcome)).toBe(true);
      else expect(outcome).toMatchObject({ code: "frame-hash-mismatch", kind: "integrity", exitCode: 4 });
    }),
    { numRuns: 20, seed: 20261130 },
  );
});

describe("every answer for the archive", () => {
  test.each<[string, Fault, object]>([
    ["500", { answer: { status: 500 } }, { code: "store-unreachable", exitCode: 5 }],
    ["403", { answer: { status: 403 } }, { code: "store-denied", exitCode: 3, hint: expect.stringMatching(/read/) }],
    ["reset at once", { refuse: true }, { code: "store-unreachable", exitCode: 5 }],
    ["cut after 10 bytes", { cutAfter: 10 }, { code: "download-cut", exitCode: 5 }],
    ["of other content", { corruptAt: 5 }, { code: "frame-hash-mismatch", exitCode: 4 }],
    ["of another object", { headers: { etag: '"other"', "content-length": "7" } }, { exitCode: 4 }],
    [
      "too long, with a length that says so",
      { headers: { "content-length": "1000000" }, pad: 500_000 },
      { exitCode: 4 },
    ],
  ])("is %s: the installation fails by name", async (_, fault, failure) => {
    proxy.rule = ofArchive(fault);
    await expect(install()).rejects.toMatchObject(failure);
  });

  test("ends too early", async () => {
    proxy.rule = ofBodies({ truncateTo: 100 });
    await expect(install()).rejects.toMatchObject({ code: "download-cut", exitCode: 5 });
  });

  test("has no end: nothing after the last frame is waited for", async () => {
    proxy.rule = ofBodies({ pad: Number.POSITIVE_INFINITY });
    const outcome = await install().catch((error: unknown) => error);
    if (Array.isArray(outcome)) expect(isWhole(outcome)).toBe(true);
    else expect(outcome).toMatchObject({ code: "body-overlong", kind: "integrity" });
  });

  test("falls silent, or trickles, now and then: it is asked for again", async () => {
    proxy.rule = times(3, ofBodies({ stallAfter: 3000 }));
    expect(isWhole(await install(200))).toBe(true);
    proxy.rule = times(3, ofBodies({ drip: { bytes: 1, everyMs: 20 } }));
    expect(isWhole(await install(200))).toBe(true);
  });

  test("comes in small pieces", async () => {
    proxy.rule = ofBodies({ drip: { bytes: 4000, everyMs: 1 } });
    expect(isWhole(await install())).toBe(true);
  });
});

test("503 with Retry-After is left alone for so long", async () => {
  proxy.rule = times(1, ofArchive({ answer: { status: 503, headers: { "retry-after": "1" } } }));
  const startedAt = performance.now();
  expect(isWhole(await install())).toBe(true);
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(990);
});

test("an archive that is replaced in the middle of its download is refused", async () => {
  await using other = await temporaryDirectory();
  const elsewhere = new DirectoryStore(other.path);
  for await (const { key } of store.list("")) await elsewhere.write(key, store.read(key));
  await using web = await startMisbehavingServer(serveDirectory(other.path));
  await using before = await startFaultProxy(web.url);
  const archive = "images/debian-12/amd64/20261123.0/image.tar.zst";
  const replace = async () => {
    await elsewhere.write(archive, makeSampleImage({ version: "20261124.0" }).archive);
  };
  // The first part arrives, and what the rest is asked of is another object.
  const moments: Fault[] = [{ cutAfter: 1000 }, { before: replace }];
  before.rule = (asked) => (asked.path.endsWith(".zst") && asked.method === "GET" ? moments.shift() : undefined);
  const reader = new HttpStore(new URL(before.url));
  const { manifest, prefix } = await resolveImage(mirror, "debian-12", { arch: "amd64" });
  const reading = collect(readShard(reader, `${prefix}image.tar.zst`, manifest, 1, { retryDelayMs: 1 }));
  await expect(reading).rejects.toMatchObject({ code: "object-changed", kind: "integrity" });
});

test.each(["timestamp.json", "snapshot.json", "targets.json", "debian-12.json", "channels.json", "manifest.json"])(
  "%s: cut, changed, without an end or away, nothing of it is believed",
  async (name) => {
    const ofFile = (fault: Fault) => (asked: Asked) =>
      asked.path.endsWith(name) && asked.method === "GET" ? fault : undefined;
    proxy.rule = times(2, ofFile({ cutAfter: 20 }));
    expect(isWhole(await install())).toBe(true);
    proxy.rule = ofFile({ corruptAt: 20 });
    await expect(install()).rejects.toMatchObject({ kind: "integrity", exitCode: 4 });
    proxy.rule = ofFile({ pad: Number.POSITIVE_INFINITY });
    await expect(install()).rejects.toMatchObject({ kind: "integrity" });
    proxy.rule = times(2, ofFile({ answer: { status: 503 } }));
    expect(isWhole(await install())).toBe(true);
  },
);
