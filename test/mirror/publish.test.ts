import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type Event, eventSchema } from "../../common/event.ts";
import { readShard } from "../../mirror/frames.ts";
import { listImages } from "../../mirror/list-images.ts";
import { publish } from "../../mirror/publish.ts";
import { resolveImage } from "../../mirror/resolve.ts";
import type { Store } from "../../mirror/store.ts";
import { changedStore } from "./changed-store.ts";
import { collect, gather } from "./gather.ts";
import { makeSampleImage, type SampleImage, temporaryDirectory, writeSampleImage } from "./sample-image.ts";
import { startWritableStores } from "./writable-stores.ts";

const stores = await startWritableStores();
afterAll(stores.stop);
const emit = () => undefined;
const arch = "amd64";

async function publishSample(store: Store, image: SampleImage, channel?: string) {
  await using directory = await temporaryDirectory();
  await writeSampleImage(directory.path, image);
  return await publish(store, directory.path, { emit, ...(channel ? { channel } : {}) });
}

/** Which keys are written, in their order. */
function watched(store: Store) {
  const written: string[] = [];
  const watching = changedStore(store, {
    write(key, body, options) {
      written.push(key.split("/").at(-1) ?? "");
      return store.write(key, body, options);
    },
  });
  return { watching, written };
}

describe.each(stores.kinds)("on %s", (_, open) => {
  test("what is published is resolved and read, shard by shard", async () => {
    const { store } = await open();
    const image = makeSampleImage();
    const published = await publishSample(store, image);
    const resolved = await resolveImage(store, "debian-12", { arch });
    expect(published).toMatchObject({ version: "20261123.0", channel: "stable", channelMoved: true });
    expect(resolved).toMatchObject({
      manifest: image.manifest,
      manifestSha256: published.manifestSha256,
      prefix: published.prefix,
    });
    for (const [index, shard] of image.shards.entries()) {
      const plain = await collect(readShard(store, `${resolved.prefix}image.tar.zst`, resolved.manifest, index));
      expect(plain.equals(shard)).toBe(true);
    }
    expect((await gather(store.list(resolved.prefix))).map(({ key }) => key.slice(resolved.prefix.length))).toEqual([
      "SHA256SUMS",
      "image.tar.zst",
      "manifest.json",
    ]);
  });

  test("the files go first, then the manifest, then the name; a rerun writes nothing", async () => {
    const { store } = await open();
    const { watching, written } = watched(store);
    await publishSample(watching, makeSampleImage());
    expect(written).toEqual(["image.tar.zst", "SHA256SUMS", "manifest.json", "channels.json"]);
    await publishSample(watching, makeSampleImage());
    expect(written).toHaveLength(4);
  });

  test("eight publishers at once lose nothing of each other's work", async () => {
    const { store } = await open();
    const versions = Array.from({ length: 8 }, (_, index) => `20261123.${index}`);
    await Promise.all(versions.map((version) => publishSample(store, makeSampleImage({ version }))));
    expect(await listImages(store)).toEqual([
      { name: "debian-12", arch, channels: { stable: "20261123.7" }, versions: versions.toReversed() },
    ]);
  });

  test("of eight publishers of one version with different content, one wins and readers get its image whole", async () => {
    const { store } = await open();
    const images = Array.from({ length: 8 }, (_, index) => makeSampleImage({ frameSizes: [[1000 + index], [5000]] }));
    const outcomes = await Promise.allSettled(images.map((image) => publishSample(store, image)));
    const winners = outcomes.flatMap((outcome, index) => (outcome.status === "fulfilled" ? [images[index]] : []));
    expect(winners).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "version-exists" });
    }
    const { manifest, prefix } = await resolveImage(store, "debian-12", { arch });
    expect(manifest).toEqual(winners[0]?.manifest);
    const plain = await collect(readShard(store, `${prefix}image.tar.zst`, manifest, 0));
    expect(plain.equals(winners[0]?.shards[0] ?? Buffer.of())).toBe(true);
  });

  test("channels are names of their own, and none goes back", async () => {
    const { store } = await open();
    await publishSample(store, makeSampleImage({ version: "20261123.0" }));
    await publishSample(store, makeSampleImage({ version: "20261124.0" }), "candidate");
    const late = await publishSample(store, makeSampleImage({ version: "20261122.0" }));
    expect(late.channelMoved).toBe(false);
    const versionOf = async (reference: string) => (await resolveImage(store, reference, { arch })).manifest.version;
    expect(await versionOf("debian-12")).toBe("20261123.0");
    expect(await versionOf("debian-12:candidate")).toBe("20261124.0");
    expect(await versionOf("debian-12@20261122.0")).toBe("20261122.0");
  });

  test("an archive that is not what the manifest says never becomes an object", async () => {
    const { store } = await open();
    await using directory = await temporaryDirectory();
    await writeSampleImage(directory.path, makeSampleImage());
    const archive = join(directory.path, "image.tar.zst");
    const bytes = await readFile(archive);
    await writeFile(archive, bytes.fill(0, 100, 101));
    const publishing = publish(store, directory.path, { emit });
    await expect(publishing).rejects.toMatchObject({ code: "file-hash-mismatch", kind: "integrity" });
    expect(await gather(store.list("images/"))).toEqual([]);
  });

  test("a published version never changes", async () => {
    const { store } = await open();
    await publishSample(store, makeSampleImage());
    const other = makeSampleImage({ frameSizes: [[1000]] });
    await expect(publishSample(store, other)).rejects.toMatchObject({ code: "version-exists", kind: "failed" });
    const sameArchive = makeSampleImage();
    sameArchive.manifest.preinstalled.push("xfsprogs");
    await expect(publishSample(store, sameArchive)).rejects.toMatchObject({ code: "version-exists" });
    expect((await resolveImage(store, "debian-12", { arch })).manifest.preinstalled).toEqual(["mdadm", "lvm2"]);
  });
});

describe("the directory", () => {
  const directoryStore = async () => (await stores.kinds[0]?.[1]())?.store ?? expect.unreachable();

  test.each<[string, string, (directory: string) => Promise<void>]>([
    ["image-incomplete", "no manifest", (directory) => rm(join(directory, "manifest.json"))],
    ["image-incomplete", "no archive", (directory) => rm(join(directory, "image.tar.zst"))],
    ["image-incomplete", "no checksums", (directory) => rm(join(directory, "SHA256SUMS"))],
    ["file-size-mismatch", "a cut archive", (directory) => writeFile(join(directory, "image.tar.zst"), "x")],
    [
      "checksums-mismatch",
      "other checksums",
      (directory) => writeFile(join(directory, "SHA256SUMS"), `${"0".repeat(64)}  image.tar.zst\n`),
    ],
    ["checksums-mismatch", "checksums that are none", (directory) => writeFile(join(directory, "SHA256SUMS"), "x\n")],
    ["manifest-invalid", "a manifest that is none", (directory) => writeFile(join(directory, "manifest.json"), "{}")],
  ])("%s: %s, and nothing is written", async (code, _, damage) => {
    const { watching, written } = watched(await directoryStore());
    await using directory = await temporaryDirectory();
    await writeSampleImage(directory.path, makeSampleImage());
    await damage(directory.path);
    await expect(publish(watching, directory.path, { emit })).rejects.toMatchObject({ code });
    expect(written).toEqual([]);
  });

  test("a channel's name is checked first", async () => {
    const publishing = publish(await directoryStore(), "/nowhere", { emit, channel: "Not a channel" });
    await expect(publishing).rejects.toMatchObject({ code: "channel-invalid", kind: "configuration" });
  });

  test("every start has its finish, every failure is told", async () => {
    const events: Event[] = [];
    const store = await directoryStore();
    await using directory = await temporaryDirectory();
    await writeSampleImage(directory.path, makeSampleImage());
    await publish(store, directory.path, { emit: (event) => events.push(eventSchema.parse(event)) });
    const count = (kind: Event["kind"]) => events.filter((event) => event.kind === kind).length;
    expect([count("operation-started"), count("operation-finished")]).toEqual([1, 1]);
    expect([count("step-started"), count("step-finished")]).toEqual([4, 4]);
    await rm(join(directory.path, "manifest.json"));
    await expect(publish(store, directory.path, { emit: (event) => events.push(event) })).rejects.toThrow();
    expect(events.at(-1)).toMatchObject({ kind: "operation-failed", failure: { code: "image-incomplete" } });
  });
});
