import { type Emit, reportOperation, reportStep } from "../common/event.ts";
import { Failure } from "../common/failure.ts";
import { type Channels, changeChannels, type ImagePlace, imagePrefix, readChannels } from "./channel.ts";
import { archSchema, imageNameSchema, imageVersionSchema } from "./manifest.ts";
import { forgetPruned, type LeavingVersion, planPrune } from "./prune-plan.ts";
import { expectChannel } from "./reference.ts";
import { removeUnfinished } from "./remove-unfinished.ts";
import type { Store } from "./store.ts";

export interface PruneOptions {
  /** How many of the newest versions of each image stay, besides those that a channel names. At least 1. */
  keep: number;
  /** Only versions that are older than that go: by the day, in UTC, that their name begins with. Default: 0. */
  olderThanMs?: number;
  /** Only versions go that no other channel has ever named, as far as that is on record: what was never promoted. */
  channel?: string;
  /** How long the objects of a version stay after it can't be found any more. */
  graceMs: number;
  /** Only this image. Default: all of the store. */
  image?: ImagePlace;
  /** Says what would happen, and changes nothing. */
  dryRun?: boolean;
  /** Default: this machine's clock. */
  now?: Date;
  emit: Emit;
  signal?: AbortSignal;
}

/** One version that does not stay, and the bytes of its objects. */
export interface PrunedVersion extends ImagePlace, LeavingVersion {
  sizeBytes: number;
}

type Sizes = ReadonlyMap<string, number>;

/**
 * Removes old versions, in two steps so that nobody reads what is going: a version is first taken off the list by a
 * conditional write, and its objects go once the time of grace is over, by this run or a later one. Never what a
 * channel names. Stopped anywhere, a rerun goes on from there, and takes away what killed publishers left, unfinished
 * uploads of more than a day included.
 * @returns the versions that do not stay, oldest first by image
 * @throws Failure `keep-invalid`, `channel-invalid` (configuration), `channels-invalid` (integrity), what a store throws
 */
export async function prune(store: Store, options: PruneOptions): Promise<PrunedVersion[]> {
  const { emit, signal, image, channel } = options;
  if (!Number.isSafeInteger(options.keep) || options.keep < 1) throw keepInvalid(options.keep);
  if (channel !== undefined) expectChannel(channel);
  return reportOperation(emit, { operation: "prune", subject: store.url }, async () => {
    const pruned: PrunedVersion[] = [];
    for (const { place, sizes } of await listStored(store, image, signal)) {
      pruned.push(...(await pruneImage(store, place, sizes, options)));
    }
    await removeUnfinished(store, { ...options, ...(image && { prefix: imagePrefix(image) }) });
    return pruned;
  });
}

async function pruneImage(
  store: Store,
  place: ImagePlace,
  sizes: Sizes,
  { keep, olderThanMs, channel, graceMs, dryRun, now = new Date(), emit, signal }: PruneOptions,
): Promise<PrunedVersion[]> {
  let leaving: LeavingVersion[] = [];
  const change = (current: Channels | undefined) => {
    // What removed the list of all versions meanwhile was no prune.
    if (!current) throw listGone(store, place);
    const limits = { ...(olderThanMs !== undefined && { olderThanMs }), ...(channel !== undefined && { channel }) };
    const plan = planPrune(current, sizes.keys(), { keep, graceMs, now, ...limits });
    leaving = plan.leaving;
    return plan.channels;
  };
  const listed = await readChannels(store, place, signal);
  if (!listed) return [];
  if (dryRun) change(listed);
  else await changeChannels(store, place, change, signal);

  const removed = new Set(leaving.flatMap(({ version, action }) => (action === "remove" ? [version] : [])));
  if (!dryRun && removed.size > 0) {
    for (const version of removed) {
      await reportStep(emit, { step: "remove", title: `Remove ${place.name}@${version} (${place.arch})` }, () =>
        removeObjects(store, `${imagePrefix(place)}${version}/`, signal),
      );
    }
    const forget = (current: Channels | undefined) => {
      if (!current) throw listGone(store, place);
      return forgetPruned(current, removed);
    };
    await changeChannels(store, place, forget, signal);
  }
  return leaving.map((version) => ({ ...place, ...version, sizeBytes: sizes.get(version.version) ?? 0 }));
}

async function removeObjects(store: Store, prefix: string, signal?: AbortSignal): Promise<void> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix, signal)) keys.push(key);
  for (const key of keys) await store.remove(key, signal);
}

/** The versions of each image that have objects, with their bytes. What is no version's is left alone. */
async function listStored(store: Store, image: ImagePlace | undefined, signal?: AbortSignal) {
  const places = new Map<string, { place: ImagePlace; sizes: Map<string, number> }>();
  for await (const { key, sizeBytes } of store.list(image ? imagePrefix(image) : "images/", signal)) {
    const [, first, second, third, ...rest] = key.split("/");
    const name = imageNameSchema.safeParse(first);
    const arch = archSchema.safeParse(second);
    if (!name.success || !arch.success || third === undefined) continue;
    const place = { name: name.data, arch: arch.data };
    const prefix = imagePrefix(place);
    const found = places.get(prefix) ?? { place, sizes: new Map<string, number>() };
    places.set(prefix, found);
    const version = imageVersionSchema.safeParse(third);
    if (!version.success || rest.length === 0) continue;
    found.sizes.set(version.data, (found.sizes.get(version.data) ?? 0) + sizeBytes);
  }
  return places.values();
}

function keepInvalid(keep: number): Failure {
  return new Failure({
    code: "keep-invalid",
    kind: "configuration",
    message: `pruning: ${keep} is not a number of versions to keep`,
    hint: "keep 1 or more",
  });
}

function listGone(store: Store, place: ImagePlace): Failure {
  return new Failure({
    code: "channels-invalid",
    kind: "integrity",
    message: `pruning ${store.url}/${imagePrefix(place)}: channels.json has been removed in the meantime`,
  });
}
