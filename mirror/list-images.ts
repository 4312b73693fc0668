import { type Channels, channelsKey, type ImagePlace, readChannels } from "./channel.ts";
import { type Arch, archSchema, imageNameSchema } from "./manifest.ts";
import { compareVersions } from "./reference.ts";
import type { Store } from "./store.ts";

export interface ListedImage {
  name: string;
  arch: Arch;
  /** Channel -> version. */
  channels: Readonly<Record<string, string>>;
  /** Newest first. */
  versions: readonly string[];
}

/**
 * All images of a store, by name and architecture. @throws what a store throws, and Failure `channels-invalid`
 * (integrity)
 */
export async function listImages(store: Store, signal?: AbortSignal): Promise<ListedImage[]> {
  const images: ListedImage[] = [];
  for await (const place of listPlaces(store, signal)) {
    const found = await readChannels(store, place, signal);
    if (found) images.push({ ...place, channels: found.channels, versions: newestFirst(found) });
  }
  return images;
}

/** Where a store has an image, by name and architecture. @throws what a store throws */
export async function* listPlaces(store: Store, signal?: AbortSignal): AsyncGenerator<ImagePlace> {
  for await (const { key } of store.list("images/", signal)) {
    const [, first, second] = key.split("/");
    const name = imageNameSchema.safeParse(first);
    const arch = archSchema.safeParse(second);
    if (!name.success || !arch.success) continue;
    const place = { name: name.data, arch: arch.data };
    if (key === channelsKey(place)) yield place;
  }
}

/** The versions that are listed, newest first. */
export function newestFirst({ versions }: Channels): string[] {
  return Object.keys(versions).sort((a, b) => compareVersions(b, a));
}
