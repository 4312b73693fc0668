import { createHash } from "node:crypto";
import { expect } from "vitest";
import { Failure } from "../../../common/failure.ts";
import type { Arch } from "../../../mirror/manifest.ts";
import type { Store } from "../../../mirror/store.ts";
import { readStatement } from "../../../mirror/sync/read-statement.ts";
import { type SyncFilter, selectVersions } from "../../../mirror/sync/select-versions.ts";
import { collect, gather } from "../gather.ts";
import { makeSampleImage, type SampleImage, sha256 } from "../sample-image.ts";

export interface SampleStatement {
  images: SampleImage[];
  /** `debian-12:stable` -> version, for every architecture that has it. */
  channels?: Record<string, string>;
  /** `debian-12` -> versions that leave. */
  pruned?: Record<string, string[]>;
  /** How many roots there are. Default: 1. */
  roots?: number;
  expires?: string;
}

const small = [[700], [5000, 300], [700]];

export function sampleVersion(version: string, name = "debian-12", arch: Arch = "amd64"): SampleImage {
  const image = makeSampleImage({ version, frameSizes: small });
  return { ...image, manifest: { ...image.manifest, name, arch } };
}

const toJson = (value: unknown) => Buffer.from(JSON.stringify(value, null, 2));
export const versionPrefix = ({ manifest: { name, arch, version } }: SampleImage) =>
  `images/${name}/${arch}/${version}/`;
const manifestOf = ({ manifest }: SampleImage) => toJson(manifest);

/** A directory store replaces under a lock, which takes longer than all the rest. */
async function put(store: Store, key: string, bytes: Uint8Array): Promise<void> {
  await store.write(key, bytes, { ifAbsent: true }).catch((error: unknown) => {
    if (error instanceof Failure && error.code === "object-exists") return store.write(key, bytes);
    throw error;
  });
}

/** The objects of a version, as a publisher leaves them. */
export async function putVersion(store: Store, image: SampleImage): Promise<void> {
  const prefix = versionPrefix(image);
  const manifest = manifestOf(image);
  const sums = `${sha256(image.archive)}  image.tar.zst\n${sha256(manifest)}  manifest.json\n`;
  await put(store, `${prefix}image.tar.zst`, image.archive);
  await put(store, `${prefix}SHA256SUMS`, Buffer.from(sums));
  await put(store, `${prefix}manifest.json`, manifest);
}

/**
 * Writes the metadata of a mirror, in the shape of The Update Framework and without signatures.
 * @param number the version of every role
 */
export async function putStatement(store: Store, number: number, statement: SampleStatement): Promise<void> {
  const { images, channels = {}, pruned = {}, roots = 1, expires = "2099-01-01T00:00:00Z" } = statement;
  const putJson = async (key: string, value: unknown) => {
    const bytes = toJson(value);
    await put(store, key, bytes);
    return { length: bytes.byteLength, hashes: { sha256: sha256(bytes) } };
  };
  const role = async (name: string, signed: object) => {
    const listed = await putJson(`metadata/${number}.${name}.json`, {
      signed: { ...signed, version: number },
      signatures: [],
    });
    return { version: number, ...listed };
  };
  const meta: Record<string, unknown> = {};
  for (const name of new Set(images.map(({ manifest }) => manifest.name))) {
    const targets: Record<string, unknown> = {};
    for (const arch of ["amd64", "arm64"] as const) {
      const own = images.filter(({ manifest }) => manifest.name === name && manifest.arch === arch);
      const versions = own.map((image) => [image.manifest.version, { manifestSha256: sha256(manifestOf(image)) }]);
      if (own.length === 0) continue;
      const content = {
        formatVersion: 1,
        versions: Object.fromEntries(versions),
        channels: Object.fromEntries(
          Object.entries(channels).flatMap(([channel, version]) =>
            channel.startsWith(`${name}:`) ? [[channel.slice(name.length + 1), version]] : [],
          ),
        ),
        pruned: Object.fromEntries((pruned[name] ?? []).map((version) => [version, { since: "2026-11-20T00:00:00Z" }])),
      };
      const key = `images/${name}/${arch}/${sha256(toJson(content))}.channels.json`;
      targets[`images/${name}/${arch}/channels.json`] = await putJson(key, content);
    }
    meta[`${name}.json`] = await role(name, { _type: "targets", targets });
  }
  meta["targets.json"] = await role("targets", { _type: "targets", targets: {} });
  const snapshot = await role("snapshot", { _type: "snapshot", meta });
  for (let root = 1; root <= roots; root += 1) {
    await putJson(`metadata/${root}.root.json`, { signed: { _type: "root", version: root }, signatures: [] });
  }
  const signed = { _type: "timestamp", version: number, expires, meta: { "snapshot.json": snapshot } };
  await putJson("metadata/timestamp.json", { signed, signatures: [] });
}

/** Versions and statement in one. */
export async function putMirror(store: Store, number: number, statement: SampleStatement): Promise<void> {
  for (const image of statement.images) await putVersion(store, image);
  await putStatement(store, number, statement);
}

/**
 * Reads all that a mirror's pointer leads to, and holds it to its hashes.
 * @param filter whose files have to be there
 * @returns the statement's number; 0 where there is no pointer
 */
export async function readEverything(store: Store, filter: SyncFilter = {}): Promise<number> {
  const statement = await readStatement(store, { retryDelayMs: 1 });
  if (!statement) return 0;
  for (const image of statement.images) {
    for (const version of selectVersions(image, filter)) {
      const prefix = `images/${image.name}/${image.arch}/${version}/`;
      const manifest = await collect(store.read(`${prefix}manifest.json`));
      expect(hash(manifest)).toBe(image.versions[version]?.manifestSha256);
      for (const file of JSON.parse(manifest.toString()).files) {
        expect(hash(await collect(store.read(prefix + file.path)))).toBe(file.sha256);
      }
    }
  }
  return statement.pointer.version;
}

const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Key -> content, of everything. */
export async function contents(store: Store): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const { key } of await gather(store.list(""))) found[key] = hash(await collect(store.read(key)));
  return found;
}

export const keysOf = async (store: Store, prefix = "") => (await gather(store.list(prefix))).map(({ key }) => key);
