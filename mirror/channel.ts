import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { Failure } from "../common/failure.ts";
import { type Arch, imageVersionSchema, sha256Schema } from "./manifest.ts";
import { noteNamed, takeRecord } from "./named-by.ts";
import { readWhole } from "./read-whole.ts";
import { channelPattern, compareVersions } from "./reference.ts";
import { withRetries } from "./retry.ts";
import type { Store } from "./store.ts";

/** Channels that have ever named a version, see named-by.ts. */
const namedBySchema = z.array(z.string().regex(channelPattern)).optional();

/**
 * `images/<name>/<arch>/channels.json`, the one object of an image that changes: which versions are published, and
 * which of them a channel names. A version is there for readers once it is listed here, not before.
 *
 * It says what a manifest's SHA-256 should be, so that the signed metadata of a mirror (trust/) only has to vouch for
 * what is in here.
 */
const channelsSchema = z.looseObject({
  formatVersion: z.literal(1),
  versions: z.record(imageVersionSchema, z.looseObject({ manifestSha256: sha256Schema, namedBy: namedBySchema })),
  channels: z.record(z.string().regex(channelPattern), imageVersionSchema),
  /** Versions on their way out, see prune.ts: nobody new finds them, whoever found them before may still be reading. */
  pruned: z
    .record(
      imageVersionSchema,
      z.looseObject({
        since: z.iso.datetime(),
        /** Its objects are being removed: it can't come back before that has ended. */
        removing: z.boolean().optional(),
        namedBy: namedBySchema,
      }),
    )
    .optional(),
});

export type Channels = z.infer<typeof channelsSchema>;

const limitBytes = 4 * 2 ** 20;

export interface ImagePlace {
  name: string;
  arch: Arch;
}

/** The prefix of all that an image has in a store, with its slash. */
export function imagePrefix({ name, arch }: ImagePlace): string {
  return `images/${name}/${arch}/`;
}

export function channelsKey(place: ImagePlace): string {
  return `${imagePrefix(place)}channels.json`;
}

/** A channel may be called `constructor`, and none is one by inheritance. */
export function versionNamedBy({ channels }: Channels, channel: string): string | undefined {
  return Object.hasOwn(channels, channel) ? channels[channel] : undefined;
}

/**
 * @returns undefined where nothing of the image has been published
 * @throws Failure `channels-invalid` (integrity), and what a store throws
 */
export async function readChannels(
  store: Store,
  place: ImagePlace,
  signal?: AbortSignal,
): Promise<Channels | undefined> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return (await readTagged(store, place, signal))?.channels;
    } catch (error) {
      if (!isLostRace(error)) throw error;
      await backOff(attempt, error, signal);
    }
  }
}

/** A version that is ready to be named: all of its objects are in the store. */
export interface Candidate extends ImagePlace {
  version: string;
  manifestSha256: string;
  channel: string;
}

export interface MoveOptions {
  /** Throws unless the version's objects are still there: a prune may have removed what a publisher found. */
  confirm?: () => Promise<void>;
  signal?: AbortSignal | undefined;
}

/**
 * Lists a version and lets the channel name it. A channel moves forward only: a slow publisher doesn't take back what a
 * later one has published.
 * @returns whether the channel names this version now
 * @throws Failure `version-exists` (failed) where the same version is listed with another manifest, `version-leaving`
 *   (retry) where a prune is removing it
 */
export async function moveChannel(store: Store, candidate: Candidate, options: MoveOptions = {}): Promise<boolean> {
  const { confirm, signal } = options;
  const change = async (current: Channels | undefined) => {
    const next = addVersion(current, candidate);
    await confirm?.();
    return next;
  };
  const channels = await changeChannels(store, candidate, change, signal);
  return versionNamedBy(channels, candidate.channel) === candidate.version;
}

/**
 * Changes what is listed of an image by a conditional write. When another writer was faster, `change` is asked again,
 * with what that one has left; nothing is written where it changes nothing.
 * @throws Failure `channels-overlong` (refused)
 * @returns what is listed now
 */
export async function changeChannels(
  store: Store,
  place: ImagePlace,
  change: (current: Channels | undefined) => Channels | Promise<Channels>,
  signal?: AbortSignal,
): Promise<Channels> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const current = await readTagged(store, place, signal);
      const next = await change(current?.channels);
      if (isDeepStrictEqual(next, current?.channels)) return next;
      const bytes = Buffer.from(`${JSON.stringify(next, null, 2)}\n`);
      if (bytes.byteLength > limitBytes) throw channelsOverlong(`${store.url}/${channelsKey(place)}`);
      const options = {
        ...(current ? { ifMatch: current.etag } : { ifAbsent: true }),
        contentType: "application/json",
        ...(signal ? { signal } : {}),
      };
      // One that was done, and its answer lost, looks like another writer's the next time: it is read again then.
      await withRetries(() => store.write(channelsKey(place), bytes, options), signal ? { signal } : {});
      return next;
    } catch (error) {
      if (!isLostRace(error)) throw error;
      await backOff(attempt, error, signal);
    }
  }
}

async function readTagged(store: Store, place: ImagePlace, signal?: AbortSignal) {
  const key = channelsKey(place);
  const found = await withRetries(() => store.stat(key, signal), signal ? { signal } : {});
  if (!found) return undefined;
  const bytes = await readWhole(store, key, { limitBytes, ifMatch: found.etag, ...(signal ? { signal } : {}) });
  return { etag: found.etag, channels: parseChannels(bytes, `${store.url}/${key}`) };
}

/** Written, nobody could read it. */
function channelsOverlong(where: string): Failure {
  return new Failure({
    code: "channels-overlong",
    kind: "refused",
    message: `writing ${where}: it would be longer than the ${limitBytes} bytes that readers take`,
    hint: "take old versions off it with `metalcast prune`, and what is kept of them goes too",
    data: { limitBytes },
  });
}

function parseChannels(bytes: Uint8Array, where: string): Channels {
  const invalid = (reason: string, cause?: unknown) =>
    new Failure({ code: "channels-invalid", kind: "integrity", message: `reading ${where}: ${reason}`, cause });
  try {
    const channels = channelsSchema.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
    const dangling = Object.entries(channels.channels).find(([, version]) => !(version in channels.versions));
    if (dangling) throw invalid(`channel ${dangling[0]} names version ${dangling[1]}, which is not listed`);
    return channels;
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw invalid(error instanceof z.ZodError ? z.prettifyError(error).replaceAll("\n", " ") : "it is not JSON", error);
  }
}

function addVersion(current: Channels | undefined, candidate: Candidate): Channels {
  const { name, version, manifestSha256, channel } = candidate;
  const base = current ?? { formatVersion: 1, versions: {}, channels: {} };
  const listed = base.versions[version];
  if (listed && listed.manifestSha256 !== manifestSha256) {
    throw new Failure({
      code: "version-exists",
      kind: "failed",
      message: `publishing ${name}@${version}: this version has been published with other content`,
      hint: "published versions never change: build the image under a new version",
      data: { expected: listed.manifestSha256, found: manifestSha256 },
    });
  }
  const { [version]: left, ...pruned } = base.pruned ?? {};
  if (left?.removing) throw versionLeaving(`publishing ${name}@${version}`);
  const named = versionNamedBy(base, channel);
  const newest = named !== undefined && compareVersions(named, version) > 0 ? named : version;
  const entry = listed ?? { manifestSha256, ...takeRecord(left ?? { namedBy: [] }) };
  return {
    ...base,
    versions: { ...base.versions, [version]: newest === version ? noteNamed(entry, channel) : entry },
    channels: { ...base.channels, [channel]: newest },
    ...(base.pruned && { pruned }),
  };
}

/** @returns Failure `version-leaving` (retry) */
export function versionLeaving(doing: string): Failure {
  return new Failure({
    code: "version-leaving",
    kind: "retry",
    message: `${doing}: a prune has been removing this version`,
    hint: "let `metalcast prune` come to its end, then publish it again",
  });
}

function isLostRace(error: unknown): boolean {
  return error instanceof Failure && (error.code === "object-changed" || error.code === "object-exists");
}

/** Full jitter: those who met once should not meet again. */
async function backOff(attempt: number, error: unknown, signal?: AbortSignal): Promise<void> {
  if (attempt >= 30) throw error;
  await delay(Math.random() * Math.min(1000, 20 * 2 ** attempt), undefined, signal ? { signal } : {});
}
