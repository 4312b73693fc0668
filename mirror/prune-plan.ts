import type { Channels } from "./channel.ts";
import { isOnlyOf, takeRecord } from "./named-by.ts";
import { forgetQualified } from "./qualification/entries.ts";
import { compareVersions } from "./reference.ts";

export interface PruneRule {
  /** How many of the newest versions stay, besides those that a channel names. At least 1. */
  keep: number;
  /** Only versions go of which it is on record that no other channel has ever named them; all others are not counted. */
  channel?: string;
  /** Younger ones stay too: by the day, in UTC, that their name begins with. Default: 0. */
  olderThanMs?: number;
  /** How long the objects stay after a version can't be found any more: as long as an installation may take. */
  graceMs: number;
  now: Date;
}

/** What happens to one version that does not stay. */
export interface LeavingVersion {
  version: string;
  /** `unlist`: found by nobody from now on; `wait`: it is that already; `remove`: its objects go now. */
  action: "unlist" | "wait" | "remove";
  /** When its objects may go. */
  removableAt: Date;
}

export interface PrunePlan {
  /** What is to be listed before anything is removed. */
  channels: Channels;
  /** Oldest first. */
  leaving: LeavingVersion[];
}

/**
 * Decides what of one image goes. A version that a channel names stays, whatever its age. What a killed publisher left
 * is taken for a version that was listed until now: so a publisher that is still at work has the same time of grace.
 * @param stored versions that have objects in the store, listed or not
 */
export function planPrune(channels: Channels, stored: Iterable<string>, rule: PruneRule): PrunePlan {
  const { keep, olderThanMs = 0, graceMs, now, channel } = rule;
  const former = channels.pruned ?? {};
  const isMeant = (version: string) =>
    channel === undefined || isOnlyOf(channel, channels.versions[version] ?? former[version]);
  const newestFirst = Object.keys(channels.versions)
    .filter(isMeant)
    .sort((a, b) => compareVersions(b, a));
  const isYoung = (version: string) => olderThanMs > 0 && now.getTime() - dayOf(version).getTime() < olderThanMs;
  const young = newestFirst.filter(isYoung);
  const staying = new Set([...newestFirst.slice(0, Math.max(keep, 1)), ...young, ...Object.values(channels.channels)]);
  const found = new Set([...newestFirst, ...stored, ...Object.keys(former)]);
  const gone = [...found].filter((version) => isMeant(version) && !staying.has(version));

  const versions = { ...channels.versions };
  const others = Object.entries(former).filter(([version]) => !isMeant(version));
  const pruned: NonNullable<Channels["pruned"]> = Object.fromEntries(others);
  const leaving: LeavingVersion[] = [];
  for (const version of gone.sort(compareVersions)) {
    const entry = former[version] ?? { since: now.toISOString(), ...takeRecord(versions[version]) };
    const removableAt = new Date(Date.parse(entry.since) + graceMs);
    const removing = entry.removing === true || removableAt <= now;
    delete versions[version];
    pruned[version] = removing ? { ...entry, removing } : entry;
    leaving.push({ version, action: removing ? "remove" : former[version] ? "wait" : "unlist", removableAt });
  }
  const { pruned: _, ...rest } = channels;
  return { channels: { ...rest, versions, ...(Object.keys(pruned).length > 0 && { pruned }) }, leaving };
}

function dayOf(version: string): Date {
  return new Date(version.replace(/^(\d{4})(\d\d)(\d\d)\..*/, "$1-$2-$3"));
}

/** What is listed once the objects of these versions are gone. */
export function forgetPruned(channels: Channels, removed: ReadonlySet<string>): Channels {
  const { pruned = {}, ...rest } = channels;
  const isGone = (version: string) => pruned[version]?.removing === true && removed.has(version);
  const left = Object.entries(pruned).filter(([version]) => !isGone(version));
  const now = left.length > 0 ? { ...rest, pruned: Object.fromEntries(left) } : rest;
  return forgetQualified(now, new Set(Object.keys(pruned).filter(isGone)));
}
