import { type Emit, note, reportStep } from "../../common/event.ts";
import { Failure } from "../../common/failure.ts";
import { type ImagePlace, readChannels } from "../channel.ts";
import { listPlaces, newestFirst } from "../list-images.ts";
import type { Manifest } from "../manifest.ts";
import { newestQualified, qualifiedOf } from "../qualification/entries.ts";
import { readManifest } from "../read-manifest.ts";
import type { Store } from "../store.ts";
import type { ImageContents } from "./contents.ts";
import { removeStalePages } from "./remove-stale-pages.ts";
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

const step = "write-pages";

/** How often a mirror that changes under the writing is looked at. */
const roundsLimit = 5;

/**
 * Writes the pages and the streams of a mirror, as it is now. Where it changes meanwhile they are written once more, so
 * that of two publishers the later one's state is what is shown, whoever writes last.
 * @throws what a store throws
 */
export async function writePages(mirror: Store, options: PagesOptions): Promise<void> {
  const { title, url, emit, now = new Date(), signal } = options;
  const fixed = { ...(title !== undefined && { title }), ...(url !== undefined && { url }) };
  await reportStep(emit, { step, title: `Write the pages of ${mirror.url}` }, async () => {
    const known: Known = { manifests: new Map(), said: new Set(), unreadable: [] };
    let images = await readContents(mirror, known, options);
    for (let round = 1; round <= roundsLimit; round += 1) {
      const contents = { ...fixed, updatedAt: now.toISOString(), images };
      const pages = [...renderStreams(contents), ...renderMirrorPages(contents)];
      for (const { key, contentType, bytes } of pages) {
        await mirror.write(key, bytes, { contentType, ...(signal && { signal }) });
      }
      const kept = new Set(pages.map(({ key }) => key));
      await removeStalePages(mirror, { kept, unreadable: known.unreadable }, signal);
      const current = await readContents(mirror, known, options);
      if (summarize(current) === summarize(images)) return;
      images = current;
    }
  });
}

/** What the rounds share. */
interface Known {
  /** Those that were read so far, by their SHA-256. */
  manifests: Map<string, Manifest>;
  /** The notes that have been given. */
  said: Set<string>;
  /** Images that were left out. */
  unreadable: ImagePlace[];
}

/**
 * What readers can have. An image whose statement or manifest is broken takes nothing from the others: it is left out,
 * and a note says why.
 */
async function readContents(
  mirror: Store,
  { manifests, said, unreadable }: Known,
  { emit, signal }: PagesOptions,
): Promise<ImageContents[]> {
  const images: ImageContents[] = [];
  for await (const place of listPlaces(mirror, signal)) {
    try {
      const image = await readImage(mirror, place, manifests, signal);
      if (image) images.push(image);
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== "integrity") throw error;
      const text = `${place.name} (${place.arch}) is not on the pages: ${error.message}`;
      if (!said.has(text)) note(emit, text, step);
      said.add(text);
      unreadable.push(place);
    }
  }
  return images;
}

async function readImage(
  mirror: Store,
  place: ImagePlace,
  manifests: Map<string, Manifest>,
  signal?: AbortSignal,
): Promise<ImageContents | undefined> {
  const listed = await readChannels(mirror, place, signal);
  if (!listed) return undefined;
  const versions = [];
  for (const version of newestFirst(listed)) {
    const manifestSha256 = listed.versions[version]?.manifestSha256;
    if (manifestSha256 === undefined) continue;
    const known = manifests.get(manifestSha256);
    const manifest = known ?? (await readManifest(mirror, { ...place, version, manifestSha256 }, signal));
    manifests.set(manifestSha256, manifest);
    versions.push({ version, manifest, manifestSha256, qualified: newestQualified(qualifiedOf(listed, version)) });
  }
  return { ...place, channels: listed.channels, versions };
}

function summarize(images: readonly ImageContents[]): string {
  return JSON.stringify(
    images.map(({ name, arch, channels, versions }) => [
      ...[name, arch, channels],
      versions.map(({ version, qualified }) => [version, qualified]),
    ]),
  );
}
