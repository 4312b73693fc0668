import { Failure } from "../../common/failure.ts";
import type { Arch } from "../manifest.ts";
import { compareVersions, expectChannel } from "../reference.ts";
import type { StatedImage } from "./read-statement.ts";

/** Whose files are copied. Metadata is copied whole in any case: it is signed as a whole. */
export interface SyncFilter {
  /** Names. Default: all. */
  images?: readonly string[];
  /** Default: all. */
  archs?: readonly Arch[];
  /** Only versions that one of these names. */
  channels?: readonly string[];
  /** So many of the newest versions, besides those that a channel names. */
  newest?: number;
}

/**
 * The versions of one image whose files are wanted, newest first: all of them without `channels` and `newest`. With
 * `channels` alone those that they name; with `newest` alone that many, and those that any channel names, so that no
 * channel leads nowhere; with both, that many and those that these channels name.
 */
export function selectVersions(image: StatedImage, { images, archs, channels, newest }: SyncFilter): string[] {
  if (images && !images.includes(image.name)) return [];
  if (archs && !archs.includes(image.arch)) return [];
  const newestFirst = Object.keys(image.versions).sort((a, b) => compareVersions(b, a));
  if (!channels && newest === undefined) return newestFirst;
  const named = Object.entries(image.channels).flatMap(([channel, version]) =>
    !channels || channels.includes(channel) ? [version] : [],
  );
  const wanted = new Set([...newestFirst.slice(0, newest ?? 0), ...named]);
  return newestFirst.filter((version) => wanted.has(version));
}

/** @throws Failure `newest-invalid`, `channel-invalid` (configuration) */
export function expectFilter({ channels = [], newest = 1 }: SyncFilter): void {
  for (const channel of channels) expectChannel(channel);
  if (Number.isSafeInteger(newest) && newest >= 1) return;
  throw new Failure({
    code: "newest-invalid",
    kind: "configuration",
    message: `syncing: ${newest} is not a number of versions`,
    hint: "take 1 or more of the newest versions",
  });
}

/**
 * A name with a slip in it would copy nothing, and with `delete` remove what is there.
 * @throws Failure `image-unknown`, `channel-unknown` (configuration)
 */
export function expectKnown(images: readonly StatedImage[], filter: SyncFilter, url: string): void {
  const names = new Set(images.map(({ name }) => name));
  for (const name of filter.images ?? []) if (!names.has(name)) throw unknown("image", name, names, url);
  const channels = new Set(images.flatMap((image) => Object.keys(image.channels)));
  for (const name of filter.channels ?? []) if (!channels.has(name)) throw unknown("channel", name, channels, url);
}

function unknown(what: "image" | "channel", name: string, there: ReadonlySet<string>, url: string): Failure {
  return new Failure({
    code: `${what}-unknown`,
    kind: "configuration",
    message: `syncing ${url}: there is no ${what} ${name}`,
    hint: `${what}s there: ${[...there].sort().join(", ") || "none"}`,
  });
}
