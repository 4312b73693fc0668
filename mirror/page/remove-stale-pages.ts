import { type ImagePlace, imagePrefix } from "../channel.ts";
import { archSchema, imageNameSchema } from "../manifest.ts";
import type { Store } from "../store.ts";

/**
 * Removes the pages of images that have no version any more.
 * @param kept the keys that were written just now
 * @param unreadable images of which nobody knows what they have: theirs stay
 */
export async function removeStalePages(
  mirror: Store,
  { kept, unreadable }: { kept: ReadonlySet<string>; unreadable: readonly ImagePlace[] },
  signal?: AbortSignal,
): Promise<void> {
  const staying = new Set([...kept, ...unreadable.map((place) => `${imagePrefix(place)}index.html`)]);
  const stale: string[] = [];
  for await (const { key } of mirror.list("images/", signal)) {
    const [, name, arch, file, ...rest] = key.split("/");
    const isPage = file === "index.html" && rest.length === 0;
    const isImage = imageNameSchema.safeParse(name).success && archSchema.safeParse(arch).success;
    if (isPage && isImage && !staying.has(key)) stale.push(key);
  }
  for (const key of stale) await mirror.remove(key, signal);
}
