import { type Emit, reportStep } from "../../common/event.ts";
import { readChannels } from "../channel.ts";
import { listImages } from "../list-images.ts";
import type { Manifest } from "../manifest.ts";
import { readManifest } from "../read-manifest.ts";
import type { Store } from "../store.ts";
import type { ImageContents } from "./contents.ts";
import { renderMirrorPages } from "./render-pages.ts";
import { renderStreams } from "./streams.ts";

export interface PagesOptions {
  /** Default: Metalcast mirror. */
  title?: string;
  /** Where readers find the mirror, where that is known. */
  url?: string;
  emit: Emit;
  now?: Date;
  signal?: AbortSignal;
}

/** How often a mirror that changes under the writing is looked at. */
const roundsLimit = 5;

/**
 * Writes the pages and the streams of a mirror, as it is now. Where it changes meanwhile they are written once more, so
 * that of two publishers the later one's state is what is shown, whoever writes last.
 * @throws what readManifest and a store throw
 */
export async function writePages(mirror: Store, options: PagesOptions): Promise<void> {
  const { title, url, emit, now = new Date(), signal } = options;
  const fixed = { ...(title !== undefined && { title }), ...(url !== undefined && { url }) };
  await reportStep(emit, { step: "write-pages", title: `Write the pages of ${mirror.url}` }, async () => {
    const manifests = new Map<string, Manifest>();
    let images = await readContents(mirror, manifests, signal);
    for (let round = 1; round <= roundsLimit; round += 1) {
      const contents = { ...fixed, updatedAt: now.toISOString(), images };
      for (const { key, contentType, bytes } of [...renderStreams(contents), ...renderMirrorPages(contents)]) {
        await mirror.write(key, bytes, { contentType, ...(signal && { signal }) });
      }
      const current = await readContents(mirror, manifests, signal);
      if (summarize(current) === summarize(images)) return;
      images = current;
    }
  });
}

/** @param manifests those that were read so far, by their SHA-256 */
async function readContents(
  mirror: Store,
  manifests: Map<string, Manifest>,
  signal?: AbortSignal,
): Promise<ImageContents[]> {
  const images: ImageContents[] = [];
  for (const { name, arch, versions: newestFirst } of await listImages(mirror, signal)) {
    const listed = await readChannels(mirror, { name, arch }, signal);
    if (!listed) continue;
    const versions = [];
    for (const version of newestFirst) {
      const manifestSha256 = listed.versions[version]?.manifestSha256;
      if (manifestSha256 === undefined) continue;
      const known = manifests.get(manifestSha256);
      const manifest = known ?? (await readManifest(mirror, { name, arch, version, manifestSha256 }, signal));
      manifests.set(manifestSha256, manifest);
      versions.push({ version, manifest, manifestSha256 });
    }
    images.push({ name, arch, channels: listed.channels, versions });
  }
  return images;
}

function summarize(images: readonly ImageContents[]): string {
  return JSON.stringify(
    images.map(({ name, arch, channels, versions }) => [name, arch, channels, versions.map(({ version }) => version)]),
  );
}
