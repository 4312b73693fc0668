import { createHash } from "node:crypto";
import { Failure } from "../common/failure.ts";
import { type Channels, imagePrefix, readChannels, versionNamedBy } from "./channel.ts";
import { listImages } from "./list-images.ts";
import { type Arch, type Manifest, manifestLimitBytes, parseManifest } from "./manifest.ts";
import { readWhole } from "./read-whole.ts";
import { compareVersions, formatReference, type ImageReference, parseReference } from "./reference.ts";
import type { Store } from "./store.ts";

export interface ResolvedImage {
  manifest: Manifest;
  manifestSha256: string;
  /** Of the keys of the image's files, with its slash: `images/debian-12/amd64/20261123.0/`. */
  prefix: string;
}

/**
 * Finds the version that a reference means, and its manifest, verified against what the channel file says of it.
 * @param reference `debian-12`, `debian-12:candidate`, `debian-12@20261123.0`
 * @throws Failure `reference-invalid`, `image-unknown`, `channel-unknown`, `version-unknown` (configuration), with what
 *   there is in the hint; `manifest-hash-mismatch`, `manifest-mismatch`, `manifest-invalid`, `channels-invalid`
 *   (integrity); what a store throws
 */
export async function resolveImage(
  store: Store,
  reference: string,
  { arch, signal }: { arch: Arch; signal?: AbortSignal },
): Promise<ResolvedImage> {
  const wanted = parseReference(reference);
  const place = { name: wanted.name, arch };
  const channels = await readChannels(store, place, signal);
  if (!channels) throw await imageUnknown(store, wanted, arch, signal);
  const version = pickVersion(channels, wanted);
  const listed = channels.versions[version];
  if (!listed) throw versionUnknown(channels, wanted);

  const prefix = `${imagePrefix(place)}${version}/`;
  const key = `${prefix}manifest.json`;
  const bytes = await readWhole(store, key, { limitBytes: manifestLimitBytes, ...(signal ? { signal } : {}) });
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== listed.manifestSha256) throw hashMismatch(`${store.url}/${key}`, listed.manifestSha256, found);
  const manifest = parseManifest(bytes, `${store.url}/${key}`);
  expectIdentity(manifest, { ...place, version }, `${store.url}/${key}`);
  return { manifest, manifestSha256: found, prefix };
}

function pickVersion(channels: Channels, wanted: ImageReference): string {
  if ("version" in wanted) return wanted.version;
  const version = versionNamedBy(channels, wanted.channel);
  if (version !== undefined) return version;
  throw unknown("channel", formatReference(wanted), `channels: ${Object.keys(channels.channels).join(", ")}`);
}

function versionUnknown({ versions }: Channels, wanted: ImageReference): Failure {
  const newest = Object.keys(versions).sort((a, b) => compareVersions(b, a));
  return unknown("version", formatReference(wanted), `newest versions: ${newest.slice(0, 5).join(", ")}`);
}

async function imageUnknown(store: Store, wanted: ImageReference, arch: Arch, signal?: AbortSignal): Promise<Failure> {
  // The list only helps to spell the name: a store that can't be listed is no worse an answer.
  const images = await listImages(store, signal).catch(() => []);
  const names = images.map((image) => (image.arch === arch ? image.name : `${image.name} (${image.arch})`));
  const there = names.length === 0 ? "check the name and the store's URL" : `images there: ${names.join(", ")}`;
  return unknown("image", `${wanted.name} for ${arch} in ${store.url}`, there);
}

function unknown(what: "image" | "channel" | "version", wanted: string, hint: string): Failure {
  return new Failure({
    code: `${what}-unknown`,
    kind: "configuration",
    message: `looking for ${wanted}: there is no such ${what}`,
    hint,
  });
}

function hashMismatch(where: string, expected: string, found: string): Failure {
  return new Failure({
    code: "manifest-hash-mismatch",
    kind: "integrity",
    message: `reading ${where}: its SHA-256 is ${found}, the channel says ${expected}`,
    hint: "the mirror is damaged or tampered with: publish the image again under a new version",
    data: { expected, found },
  });
}

/** A whole and valid manifest, but another image's. */
function expectIdentity(
  manifest: Manifest,
  wanted: { name: string; arch: Arch; version: string },
  where: string,
): void {
  const same = manifest.name === wanted.name && manifest.arch === wanted.arch && manifest.version === wanted.version;
  if (same) return;
  throw new Failure({
    code: "manifest-mismatch",
    kind: "integrity",
    message: `reading ${where}: it is the manifest of ${manifest.name}@${manifest.version} for ${manifest.arch}`,
    hint: "the mirror is damaged or tampered with: publish the image again under a new version",
  });
}
