import { imagePrefix } from "../channel.ts";
import { archiveName, type Frame, manifestLimitBytes, parseManifest } from "../manifest.ts";
import { readWhole } from "../read-whole.ts";
import { compareVersions } from "../reference.ts";
import type { RetryOptions } from "../retry.ts";
import type { Store, StoredObject } from "../store.ts";
import type { Listing } from "./list-sides.ts";
import type { ListedFile } from "./read-statement.ts";
import type { WantedVersion } from "./version-files.ts";

/** An archive that is to be copied, with what it is made of. */
export interface ListedArchive extends ListedFile {
  version: WantedVersion;
  frames: readonly Frame[];
}

/** A run of bytes of the new archive. */
export interface Piece {
  /** Whether the target has them in its base archive; else they come from the source. */
  reused: boolean;
  /** Where they begin and end in the archive that they come from. */
  start: number;
  end: number;
}

/** What a new archive is made of, where the target has a part of it. */
export interface Reuse {
  /** The archive of another version of the same image, at the target. */
  object: StoredObject;
  pieces: readonly Piece[];
}

/**
 * Looks into the newest version of an image that the target has, for frames of the one that is to come.
 * @returns undefined where there are none
 */
export async function planReuse(
  to: Store,
  target: Listing,
  archive: ListedArchive,
  options: RetryOptions & { signal?: AbortSignal },
): Promise<Reuse | undefined> {
  const base = await findBase(to, target, archive, options);
  if (!base) return undefined;
  const pieces = planPieces(archive.frames, base.frames);
  return countReused(pieces) > 0 ? { object: base.object, pieces } : undefined;
}

/** @returns undefined where there is none of use: it is a matter of speed only */
async function findBase(
  to: Store,
  target: Listing,
  { version: wanted }: ListedArchive,
  options: RetryOptions & { signal?: AbortSignal },
): Promise<{ object: StoredObject; frames: readonly Frame[] } | undefined> {
  const place = imagePrefix(wanted);
  const versions = [...target.keys()].flatMap((key) => {
    const [version = "", name] = key.startsWith(place) ? key.slice(place.length).split("/") : [];
    return name === archiveName && version !== wanted.version ? [version] : [];
  });
  const newest = versions.sort(compareVersions).at(-1);
  const object = newest === undefined ? undefined : target.get(`${place}${newest}/${archiveName}`);
  if (!object) return undefined;
  try {
    const key = `${place}${newest}/manifest.json`;
    const { frames } = parseManifest(await readWhole(to, key, { limitBytes: manifestLimitBytes, ...options }), key);
    const last = frames.at(-1);
    return last && last.offset + last.sizeBytes === object.sizeBytes ? { object, frames } : undefined;
  } catch {
    options.signal?.throwIfAborted();
    return undefined;
  }
}

/** Cuts an archive into what the base has and what it has not, in as few pieces as there can be. */
export function planPieces(frames: readonly Frame[], base: readonly Frame[]): Piece[] {
  const known = new Map(base.map((frame) => [frame.sha256, frame]));
  const pieces: Piece[] = [];
  for (const frame of frames) {
    const there = known.get(frame.sha256);
    const reused = there?.sizeBytes === frame.sizeBytes;
    const start = (reused ? there : frame).offset;
    const last = pieces.at(-1);
    if (last?.reused === reused && last.end === start) last.end += frame.sizeBytes;
    else pieces.push({ reused, start, end: start + frame.sizeBytes });
  }
  return pieces;
}

/** How many bytes of the pieces the target has. */
export function countReused(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { reused, start, end }) => sum + (reused ? end - start : 0), 0);
}

/** What is left of the pieces after so many bytes. */
export function skipBytes(pieces: readonly Piece[], count: number): Piece[] {
  let left = count;
  return pieces.flatMap(({ reused, start, end }) => {
    const skipped = Math.min(left, end - start);
    left -= skipped;
    return start + skipped < end ? [{ reused, start: start + skipped, end }] : [];
  });
}
