import { Failure } from "../../common/failure.ts";
import type { Channels, ImagePlace } from "../../mirror/channel.ts";
import { imagePrefix } from "../../mirror/channel.ts";
import { compareVersions } from "../../mirror/reference.ts";
import type { Store } from "../../mirror/store.ts";

/**
 * The first version of a day that nothing in the store stands in the way of: not a version that is or was listed, and
 * not what a killed publisher left.
 * @param channels what is listed of the image
 * @param date its day in UTC is the version's
 * @throws Failure `clock-behind` (configuration) where the store has versions of a later day; what a store throws
 */
export async function findNextVersion(
  store: Store,
  place: ImagePlace,
  { channels, date, signal }: { channels: Channels | undefined; date: Date; signal?: AbortSignal | undefined },
): Promise<string> {
  const day = date.toISOString().slice(0, 10).replaceAll("-", "");
  const taken = [...Object.keys(channels?.versions ?? {}), ...Object.keys(channels?.pruned ?? {})];
  const prefix = imagePrefix(place);
  for await (const { key } of store.list(`${prefix}${day}.`, signal)) {
    taken.push(key.slice(prefix.length).split("/", 1)[0] ?? "");
  }
  return nextVersion(taken, day, place.name);
}

/** @param day `20261123` */
export function nextVersion(taken: readonly string[], day: string, name: string): string {
  const newest = taken.filter((version) => /^\d{8}\.\d+$/.test(version)).sort((a, b) => compareVersions(b, a))[0];
  const [newestDay = "", build = ""] = newest?.split(".") ?? [];
  if (Number(newestDay) > Number(day)) {
    throw new Failure({
      code: "clock-behind",
      kind: "configuration",
      message: `numbering the next version of ${name}: there is ${newest} already, and today is ${day}`,
      hint: "set this machine's clock; a version must sort after those before it",
    });
  }
  return `${day}.${newestDay === day ? Number(build) + 1 : 0}`;
}
