import { afterAll, beforeEach, expect, test } from "vitest";
import { DirectoryStore } from "../../mirror/directory-store.ts";
import { listImages } from "../../mirror/list-images.ts";
import { publish } from "../../mirror/publish.ts";
import { resolveImage } from "../../mirror/resolve.ts";
import { changedStore } from "./changed-store.ts";
import { collect } from "./gather.ts";
import { makeSampleImage, sha256, temporaryDirectory, writeSampleImage } from "./sample-image.ts";

const parent = await temporaryDirectory();
afterAll(() => parent[Symbol.asyncDispose]());
const channelsKey = "images/debian-12/amd64/channels.json";
const manifestKey = "images/debian-12/amd64/20261123.0/manifest.json";
const arch = "amd64";
let store: DirectoryStore;

beforeEach(async () => {
  const directory = await temporaryDirectory();
  store = new DirectoryStore(directory.path);
  await using image = await temporaryDirectory();
  await writeSampleImage(image.path, makeSampleImage());
  await publish(store, image.path, { emit: () => undefined });
  return () => directory[Symbol.asyncDispose]();
});

const parseChannels = async () => JSON.parse((await collect(store.read(channelsKey))).toString());

test.each([
  ["debian-11", "image-unknown", "images there: debian-12"],
  ["debian-12:candidate", "channel-unknown", "channels: stable"],
  ["debian-12:constructor", "channel-unknown", "channels: stable"],
  ["debian-12@20991231.0", "version-unknown", "newest versions: 20261123.0"],
  ["../../etc", "reference-invalid", expect.any(String)],
])("%s: %s, with what there is in the hint", async (reference, code, hint) => {
  await expect(resolveImage(store, reference, { arch })).rejects.toMatchObject({ code, hint, kind: "configuration" });
});

test("an image of another architecture is told as such", async () => {
  const resolving = resolveImage(store, "debian-12", { arch: "arm64" });
  await expect(resolving).rejects.toMatchObject({ code: "image-unknown", hint: "images there: debian-12 (amd64)" });
});

test("a store without images says so, whether it can be listed or not", async () => {
  await using directory = await temporaryDirectory();
  const empty = new DirectoryStore(directory.path);
  expect(await listImages(empty)).toEqual([]);
  const unlistable = changedStore(empty, {
    list: () => {
      throw new Error("this store can't be listed");
    },
  });
  for (const asked of [empty, unlistable]) {
    const resolving = resolveImage(asked, "debian-12", { arch });
    await expect(resolving).rejects.toMatchObject({
      code: "image-unknown",
      hint: "check the name and the store's URL",
    });
  }
});

test("a changed manifest is not believed", async () => {
  const manifest = JSON.stringify({ ...makeSampleImage().manifest, license: "rhsm" });
  await store.write(manifestKey, Buffer.from(manifest));
  const resolving = resolveImage(store, "debian-12", { arch });
  await expect(resolving).rejects.toMatchObject({ code: "manifest-hash-mismatch", kind: "integrity" });
});

test("nor another version's manifest in its place, even where the hash is right", async () => {
  const manifest = Buffer.from(JSON.stringify(makeSampleImage({ version: "20200101.0" }).manifest));
  await store.write(manifestKey, manifest);
  const channels = await parseChannels();
  channels.versions["20261123.0"].manifestSha256 = sha256(manifest);
  await store.write(channelsKey, Buffer.from(JSON.stringify(channels)));
  const resolving = resolveImage(store, "debian-12", { arch });
  await expect(resolving).rejects.toMatchObject({ code: "manifest-mismatch", kind: "integrity" });
});

test("a missing manifest is told by its key", async () => {
  await store.remove(manifestKey);
  const resolving = resolveImage(store, "debian-12", { arch });
  await expect(resolving).rejects.toMatchObject({
    code: "object-missing",
    message: expect.stringContaining(manifestKey),
  });
});

test.each<[string, unknown]>([
  ["no object", []],
  ["another format", { formatVersion: 2, versions: {}, channels: {} }],
  ["a version that is a path", { formatVersion: 1, versions: {}, channels: { stable: "../../other" } }],
  ["a channel of a version that is not listed", { formatVersion: 1, versions: {}, channels: { stable: "20261123.0" } }],
])("a channel file that is %s", async (_, content) => {
  await store.write(channelsKey, Buffer.from(JSON.stringify(content)));
  const resolving = resolveImage(store, "debian-12", { arch });
  await expect(resolving).rejects.toMatchObject({ code: "channels-invalid", kind: "integrity" });
});

test("fields of the channel file that are not known yet outlive a publisher", async () => {
  await store.write(channelsKey, Buffer.from(JSON.stringify({ ...(await parseChannels()), future: 1 })));
  await using image = await temporaryDirectory();
  await writeSampleImage(image.path, makeSampleImage({ version: "20261124.0" }));
  await publish(store, image.path, { emit: () => undefined });
  expect(await parseChannels()).toMatchObject({ future: 1, channels: { stable: "20261124.0" } });
});

test.each([channelsKey, manifestKey])("an endless %s ends", async (key) => {
  const endless = changedStore(store, {
    async *read(readKey, options) {
      if (readKey !== key) yield* store.read(readKey, options);
      else for (;;) yield Buffer.alloc(2 ** 20, " ");
    },
  });
  const resolving = resolveImage(endless, "debian-12", { arch });
  await expect(resolving).rejects.toMatchObject({ code: "object-overlong", kind: "integrity" });
});

test("objects that are no images are not listed", async () => {
  for (const key of [
    "images/x/vax/channels.json",
    "images/X/amd64/channels.json",
    "images/x/amd64/1/channels.json",
    "images/y",
  ]) {
    await store.write(key, Buffer.from("{}"));
  }
  expect(await listImages(store)).toEqual([
    { name: "debian-12", arch, channels: { stable: "20261123.0" }, versions: ["20261123.0"] },
  ]);
});
