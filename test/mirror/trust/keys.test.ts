import { mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Secret } from "../../../common/secret.ts";
import { DirectoryStore } from "../../../mirror/directory-store.ts";
import { listImages } from "../../../mirror/list-images.ts";
import { publish } from "../../../mirror/publish.ts";
import { initMirror } from "../../../mirror/trust/init.ts";
import { KeyRing } from "../../../mirror/trust/key-ring.ts";
import { openMirror, signWith } from "../../../mirror/trust/open-mirror.ts";
import { refreshMirror } from "../../../mirror/trust/refresh.ts";
import { type KeyRole, keyRoles } from "../../../mirror/trust/roles.ts";
import { rotateKeys } from "../../../mirror/trust/rotate.ts";
import { changedStore } from "../changed-store.ts";
import { makeSampleImage, writeSampleImage } from "../sample-image.ts";
import { newMirror } from "./new-mirror.ts";

const day = 86_400_000;
const emit = () => undefined;
let directory: string;
let store: DirectoryStore;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "keys-"));
  await mkdir(join(directory, "mirror"));
  store = new DirectoryStore(join(directory, "mirror"));
  await mkdir(join(directory, "image"));
  await writeSampleImage(join(directory, "image"), makeSampleImage());
});
afterEach(() => rm(directory, { recursive: true }));

const publishWith = async (ring: KeyRing) => publish(await signWith(ring, store), join(directory, "image"), { emit });

test("keys are files that only their owner reads; those of root and targets are encrypted", async () => {
  const { keys } = await newMirror(store, { directory });
  const names = (await readdir(keys)).filter((name) => name.endsWith(".pem"));
  expect(names.map((name) => name.replace(/-.*/, "")).sort()).toEqual([...keyRoles].sort());
  for (const name of names) {
    expect((await stat(join(keys, name))).mode & 0o777).toBe(0o600);
    const isEncrypted = (await readFile(join(keys, name), "utf8")).includes("ENCRYPTED");
    expect([name, isEncrypted]).toEqual([name, /^(root|targets)-/.test(name)]);
  }
});

test("the nightly publishes the images that its keys may sign for, without the passphrase; no others", async () => {
  const { keys } = await newMirror(store, { directory, images: ["debian-12"] });
  const nightly = await KeyRing.open(keys);
  await publishWith(nightly);
  await refreshMirror(store, nightly);
  const { keys: others } = await newMirror(new DirectoryStore(directory), { directory });
  const elsewhere = await signWith(await KeyRing.open(others), new DirectoryStore(directory));
  await expect(publish(elsewhere, join(directory, "image"), { emit })).rejects.toMatchObject({
    code: "signers-missing",
    kind: "configuration",
    message: expect.stringMatching(/targets: 0 of 1 keys .* is encrypted/),
  });
});

test.each([
  ["a wrong passphrase", "key-unusable", (keys: string) => KeyRing.open(keys, new Secret("another one"))],
  ["a folder that is none", "keys-missing", () => KeyRing.open("/nonexistent")],
  ["a short passphrase", "passphrase-weak", (keys: string) => KeyRing.create(`${keys}/new`, new Secret("short"))],
])("%s is told", async (_, code, open) => {
  const { keys } = await newMirror(store, { directory });
  await expect(open(keys)).rejects.toMatchObject({ code, kind: "configuration" });
});

test.each([1, 2, 3, 4])("made again after a kill before write %i, it is a mirror", async (moment) => {
  let writes = 0;
  const dying = changedStore(store, {
    write(...args) {
      writes += 1;
      if (writes === moment) throw new Error("killed");
      return store.write(...args);
    },
  });
  const keys = join(directory, "own");
  const passphrase = new Secret("a passphrase of the tests");
  await expect(initMirror(dying, await KeyRing.create(keys, passphrase))).rejects.toThrow("killed");
  const ring = await KeyRing.create(keys, passphrase);
  await initMirror(store, ring);
  await publishWith(ring);
  expect(await listImages(openMirror(store.url, { root: await ring.readRoot() }))).toHaveLength(1);
});

test("a mirror is made once", async () => {
  const { ring } = await newMirror(store, { directory });
  await expect(initMirror(store, ring)).rejects.toMatchObject({ code: "mirror-exists", kind: "refused" });
});

test("an image cannot be called as a role is", async () => {
  const { ring } = await newMirror(store, { directory });
  const mirror = await signWith(ring, store);
  const key = "images/root/amd64/channels.json";
  await expect(mirror.write(key, Buffer.from("{}"), { ifAbsent: true })).rejects.toMatchObject({
    code: "image-name-reserved",
  });
});

describe.each(keyRoles)("after new keys for %s", (role: KeyRole) => {
  test("readers of the first root and of the new one read on, and the former key signs nothing any more", async () => {
    const { ring, root, keys } = await newMirror(store, { directory });
    await publishWith(ring);
    const former = ring.ofRole(role).map(({ key }) => key.keyID);
    const ids = await rotateKeys(store, ring, role, { keys: 2, threshold: 2 });
    expect(ids).toHaveLength(2);
    expect(ids).not.toEqual(expect.arrayContaining(former));
    for (const pinned of [root, await readFile(join(keys, "root.json"))]) {
      expect(await listImages(openMirror(store.url, { root: pinned }))).toMatchObject([{ name: "debian-12" }]);
    }
    for (const name of await readdir(keys)) {
      if (ids.some((id) => name === `${role}-${id.slice(0, 12)}.pem`)) await rm(join(keys, name));
    }
    const left = await KeyRing.open(keys, new Secret("a passphrase of the tests"));
    const signing =
      role === "root" ? rotateKeys(store, left, "snapshot") : rotateKeys(store, left, role, { keep: true });
    await expect(signing).rejects.toMatchObject({ code: "signers-missing" });
  });
});

test("a threshold that its keys cannot meet is refused", async () => {
  const { ring } = await newMirror(store, { directory });
  await expect(rotateKeys(store, ring, "root", { threshold: 2 })).rejects.toMatchObject({ code: "threshold-invalid" });
});

test("what is said of images is renewed at half of its time; offline keys are asked for in time", async () => {
  const { ring } = await newMirror(store, { directory, images: ["debian-12"], now: new Date(Date.now() - 300 * day) });
  await refreshMirror(store, ring);
  await publishWith(ring);
  const expiries = await refreshMirror(store, ring);
  expect(expiries.map(({ role, isDue }) => [role, isDue])).toEqual([
    ["root", true],
    ["targets", true],
    ["debian-12", false],
  ]);
  expect((await refreshMirror(store, ring, { now: new Date(Date.now() + 50 * day) })).map(({ role }) => role)).toEqual([
    "root",
    "targets",
  ]);
});
