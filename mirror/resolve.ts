import { Failure } from "../common/failure.ts";
import { type Channels, imagePrefix, readChannels, versionNamedBy } from "./channel.ts";
import { listImages } from "./list-images.ts";
import type { Arch, Manifest } from "./manifest.ts";
import { readManifest } from "./read-manifest.ts";
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

  const { manifestSha256 } = listed;
  const manifest = await readManifest(store, { ...place, version, manifestSha256 }, signal);
  return { manifest, manifestSha256, prefix: `${imagePrefix(place)}${version}/` };
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
