import { z } from "zod";
import { type BootEntries, isNetworkEntry, partitionOfEntry } from "./boot-entries.ts";

/**
 * What UEFI firmware tries, in which order. `keep-network-first`: the network stays in front where it was there before;
 * who runs such a server decides at every boot what it boots. `disk-first`: the installed system comes before all else.
 * `leave`: what was there stays as it was, and the installed system comes last.
 */
export const bootOrderSchema = z.enum(["keep-network-first", "disk-first", "leave"]);

export type BootOrder = z.infer<typeof bootOrderSchema>;

/** @param ours the numbers of the new entries; @returns the new order: each number of the old one once, and ours */
export function orderEntries({ order, entries }: BootEntries, ours: readonly string[], bootOrder: BootOrder): string[] {
  const others = [...new Set(order)].filter((number) => !ours.includes(number));
  const split = bootOrder === "leave" ? others.length : bootOrder === "disk-first" ? 0 : countLeadingNetwork(others);
  return [...others.slice(0, split), ...ours, ...others.slice(split)];

  function countLeadingNetwork(numbers: readonly string[]): number {
    const tried = numbers.map((number) => entries.find((entry) => entry.number === number));
    const end = tried.findIndex((entry) => entry?.active && !isNetworkEntry(entry));
    const leading = tried.slice(0, end < 0 ? undefined : end);
    return leading.findLastIndex((entry) => entry?.active && isNetworkEntry(entry)) + 1;
  }
}

interface OwnEntry {
  label: string;
  partitionUuid: string;
}

/**
 * The numbers of entries that boot nothing, or what our new ones boot: those of our partitions, those of earlier
 * installations by their label, and, unless all shall be left, those of partitions that no disk of the server has.
 *
 * @param own what is being made anew; labels end in ` (disk N)`
 * @param present the UUIDs of all partitions on the server's disks, in lower case
 */
export function findStaleEntries(
  { entries }: BootEntries,
  own: readonly OwnEntry[],
  present: ReadonlySet<string>,
  bootOrder: BootOrder,
): string[] {
  const system = (label: string) => label.replace(/ \(disk \d+\)$/, "");
  const ownSystems = own.map(({ label }) => system(label));
  const ownPartitions = own.map(({ partitionUuid }) => partitionUuid.toLowerCase());
  // Where our own are not listed, the list is no proof that others are gone.
  const isGone = (partition: string) => !present.has(partition) && ownPartitions.every((uuid) => present.has(uuid));
  const stale = entries.filter((entry) => {
    const partition = partitionOfEntry(entry);
    const named = /\(disk \d+\)$/.test(entry.label) && ownSystems.includes(system(entry.label));
    if (partition === undefined) return entry.path === "" && own.some(({ label }) => label === entry.label);
    if (ownPartitions.includes(partition)) return true;
    return isGone(partition) && (named || bootOrder !== "leave");
  });
  return stale.map(({ number }) => number);
}
