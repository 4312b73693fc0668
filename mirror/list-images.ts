import { channelsKey, readChannels } from "./channel.ts";
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
  for await (const { key } of store.list("images/", signal)) {
    const [, first, second] = key.split("/");
    const name = imageNameSchema.safeParse(first);
    const arch = archSchema.safeParse(second);
    if (!name.success || !arch.success) continue;
    const place = { name: name.data, arch: arch.data };
    if (key !== channelsKey(place)) continue;
    const found = await readChannels(store, place, signal);
    if (!found) continue;
    const versions = Object.keys(found.versions).sort((a, b) => compareVersions(b, a));
    images.push({ ...place, channels: found.channels, versions });
  }
  return images;
}
