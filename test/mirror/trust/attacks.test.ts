import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DirectoryStore } from "../../../mirror/directory-store.ts";
import { publish } from "../../../mirror/publish.ts";
import { resolveImage } from "../../../mirror/resolve.ts";
import { parseMetadata, signMetadata } from "../../../mirror/trust/metadata.ts";
import { openMirror } from "../../../mirror/trust/open-mirror.ts";
import { refreshMirror } from "../../../mirror/trust/refresh.ts";
import { rotateKeys } from "../../../mirror/trust/rotate.ts";
import { generatePrivateKey, toSigningKey } from "../../../mirror/trust/signing-key.ts";
import { makeSampleImage, writeSampleImage } from "../sample-image.ts";
import { newMirror } from "./new-mirror.ts";

/** What the owner of a mirror's disk can do without its keys, and what readers say to it. */
const day = 86_400_000;
let directory: string;
let made: Awaited<ReturnType<typeof newMirror>>;
const mirrorPath = () => join(directory, "mirror");
const raw = () => new DirectoryStore(mirrorPath());

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "attacks-"));
  await mkdir(mirrorPath());
  made = await newMirror(raw(), { directory });
  await publishVersion("20261123.0");
});
afterEach(() => rm(directory, { recursive: true }));

async function publishVersion(version: string): Promise<void> {
  const image = join(directory, version);
  await mkdir(image);
  await writeSampleImage(image, makeSampleImage({ version }));
  await publish(made.mirror, image, { emit: () => undefined });
}

/** Of a reader that has the root that was made first. */
const read = async (options: { memory?: string } = {}) => {
  const reader = openMirror(raw().url, { root: made.root, ...options });
  return (await resolveImage(reader, "debian-12", { arch: "amd64" })).manifest.version;
};

const file = (key: string) => join(mirrorPath(), key);

/** The newest version of a role's metadata. */
async function newest(role: string): Promise<string> {
  const names = (await readdir(file("metadata"))).filter((name) => name.endsWith(`.${role}.json`));
  return `metadata/${Math.max(...names.map((name) => Number.parseInt(name, 10)))}.${role}.json`;
}

async function edit(key: string, change: (text: string) => string): Promise<void> {
  const before = await readFile(file(key), "utf8");
  const after = change(before);
  expect(after).not.toBe(before);
  await writeFile(file(key), after);
}

const refused = (code: string) => expect.objectContaining({ code, kind: "integrity", hint: expect.any(String) });

test("left alone, it is read", async () => {
  expect(await read()).toBe("20261123.0");
});

test("a changed statement: the signature does not match it", async () => {
  await edit("metadata/timestamp.json", (text) => text.replace(/"expires": "20/, '"expires": "30'));
  await expect(read()).rejects.toEqual(refused("signature-invalid"));
});

test("a statement signed by a key of the attacker's", async () => {
  const own = toSigningKey(generatePrivateKey());
  const { signed } = parseMetadata("timestamp", await readFile(file("metadata/timestamp.json")), "timestamp");
  await writeFile(file("metadata/timestamp.json"), signMetadata(signed, [own]));
  await expect(read()).rejects.toEqual(refused("key-unknown"));
});

test("a root of the attacker's", async () => {
  const own = toSigningKey(generatePrivateKey());
  const { signed } = parseMetadata("root", await readFile(file("metadata/1.root.json")), "root");
  const forged = signMetadata(signed, [own]).toString().replace('"version": 1', '"version": 2');
  await writeFile(file("metadata/2.root.json"), forged);
  await expect(read()).rejects.toEqual(refused("key-unknown"));
});

test("what one image's name vouches for is not taken for another", async () => {
  const role = await newest("debian-12");
  await edit(role, (text) => text.replaceAll("images/debian-12/", "images/debian-13/"));
  await expect(read()).rejects.toEqual(refused("metadata-mixed"));
});

test("too few of the signatures that a role needs", async () => {
  await rotateKeys(raw(), made.ring, "timestamp", { keys: 2, threshold: 2 });
  expect(await read()).toBe("20261123.0");
  const stripped = JSON.parse(await readFile(file("metadata/timestamp.json"), "utf8"));
  const root = JSON.parse(await readFile(file(await newest("root")), "utf8"));
  const [first] = root.signed.roles.timestamp.keyids;
  stripped.signatures = stripped.signatures.filter(({ keyid }: { keyid: string }) => keyid === first);
  await writeFile(file("metadata/timestamp.json"), JSON.stringify(stripped));
  await expect(read()).rejects.toEqual(refused("signatures-too-few"));
});

test("an older state, to a reader that remembers a newer one, and to the publisher", async () => {
  const memory = join(directory, "memory");
  await cp(mirrorPath(), join(directory, "older"), { recursive: true });
  await publishVersion("20261124.0");
  expect(await read({ memory })).toBe("20261124.0");
  await rm(mirrorPath(), { recursive: true });
  await cp(join(directory, "older"), mirrorPath(), { recursive: true });
  await expect(read({ memory })).rejects.toEqual(refused("mirror-rolled-back"));
  await expect(publishVersion("20261125.0")).rejects.toEqual(refused("mirror-rolled-back"));
  expect(await read()).toBe("20261123.0");
});

test("a state that nobody has renewed", async () => {
  await refreshMirror(raw(), made.ring, { now: new Date(Date.now() - 8 * day) });
  await expect(read()).rejects.toEqual(refused("metadata-expired"));
  await refreshMirror(raw(), made.ring);
  expect(await read()).toBe("20261123.0");
});

test("parts of different states", async () => {
  const old = await newest("debian-12");
  await publishVersion("20261124.0");
  await cp(file(old), file(await newest("debian-12")));
  await expect(read()).rejects.toEqual(refused("metadata-mixed"));
});

test("a part that is missing", async () => {
  await rm(file(await newest("snapshot")));
  await expect(read()).rejects.toEqual(refused("metadata-mixed"));
});

test("a part without an end", async () => {
  await writeFile(file("metadata/timestamp.json"), Buffer.alloc(20_000, " "));
  await expect(read()).rejects.toEqual(refused("metadata-endless"));
  await writeFile(file("metadata/timestamp.json"), Buffer.alloc(6 * 2 ** 20, " "));
  await expect(read()).rejects.toEqual(refused("metadata-endless"));
});

test("a part that is none", async () => {
  await writeFile(file("metadata/timestamp.json"), "<html>not found</html>");
  await expect(read()).rejects.toEqual(refused("metadata-invalid"));
});

test("other content under the name of what is signed", async () => {
  const folder = "images/debian-12/amd64";
  const [statement = ""] = (await readdir(file(folder))).filter((name) => name.endsWith(".channels.json"));
  await edit(`${folder}/${statement}`, (text) => text.replace("20261123.0", "20261129.0"));
  await expect(read()).rejects.toEqual(refused("target-mismatch"));
});

test("after a stolen key made the version run away, new keys let readers come back", async () => {
  const memory = join(directory, "memory");
  const [stolen] = made.ring.ofRole("timestamp");
  const { signed } = parseMetadata("timestamp", await readFile(file("metadata/timestamp.json")), "timestamp");
  const former = await readFile(file("metadata/timestamp.json"));
  if (!stolen) return expect.unreachable();
  const ahead = JSON.parse(signMetadata(signed, [stolen]).toString());
  ahead.signed.version = 1_000_000;
  const forged = parseMetadata("timestamp", Buffer.from(JSON.stringify(ahead)), "timestamp").signed;
  await writeFile(file("metadata/timestamp.json"), signMetadata(forged, [stolen]));
  expect(await read({ memory })).toBe("20261123.0");
  await writeFile(file("metadata/timestamp.json"), former);
  await expect(read({ memory })).rejects.toEqual(refused("mirror-rolled-back"));
  await rotateKeys(raw(), made.ring, "timestamp");
  expect(await read({ memory })).toBe("20261123.0");
});

test("what is no mirror is told to be none", async () => {
  await rm(file("metadata"), { recursive: true });
  await expect(read()).rejects.toMatchObject({ code: "mirror-unsigned", kind: "configuration" });
});

test("a copy is read like the mirror itself, by whoever has the root", async () => {
  await cp(mirrorPath(), join(directory, "copy"), { recursive: true });
  const copy = openMirror(new DirectoryStore(join(directory, "copy")).url, { root: made.root });
  const { manifest, manifestSha256, prefix } = await resolveImage(copy, "debian-12", { arch: "amd64" });
  const bytes = await readFile(join(directory, "copy", prefix, "manifest.json"));
  expect(createHash("sha256").update(bytes).digest("hex")).toBe(manifestSha256);
  expect(manifest.version).toBe("20261123.0");
});
