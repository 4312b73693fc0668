import type { Shard } from "../mirror/manifest.ts";
import type { TreeEntry } from "./tree.ts";

export interface PlannedShard {
  content: Shard["content"];
  /** In the order in which the archive has them. */
  paths: Buffer[];
}

/** Large enough that tar's start is nothing beside it, small enough that two workers end at about the same time. */
const shardBytes = 64 * 2 ** 20;

/**
 * Divides a tree among shards: all directories first, to make them; then files; then all directories again, to settle
 * the times and modes that unpacking the files has changed. Paths that link to one file stay together, behind the
 * first; those that may come to lie on different file systems become files of their own, since tar sees no link to what
 * another run of it has packed.
 * Far links come at the end, each behind its directory: GNU tar makes them after all else, and then sets the times of
 * their directories once more only where the one is what it met before the other (tar, src/extract.c: delayed links).
 */
export function planShards(entries: readonly TreeEntry[], limitBytes: number = shardBytes): PlannedShard[] {
  const directories = entries.filter(({ kind }) => kind === "directory").map(({ path }) => path);
  const shards: PlannedShard[] = [{ content: "directories", paths: directories }];
  let paths: Buffer[] = [];
  let bytes = 0;
  let linked = new Set<string>();
  const isFar = ({ kind }: TreeEntry) => kind === "far-link";
  for (const group of groupLinks(entries.filter((entry) => entry.kind !== "directory" && !isFar(entry)))) {
    const size = (group[0]?.sizeBytes ?? 0) + 512 * group.length;
    const linkId = group[0]?.linkId;
    const isLinked = linkId !== undefined && linked.has(linkId);
    if (paths.length > 0 && (bytes + size > limitBytes || isLinked)) {
      shards.push({ content: "files", paths });
      paths = [];
      bytes = 0;
      linked = new Set();
    }
    if (linkId !== undefined) linked.add(linkId);
    paths.push(...group.map(({ path }) => path));
    bytes += size;
  }
  if (paths.length > 0) shards.push({ content: "files", paths });
  const settled = entries.filter((entry) => entry.kind === "directory" || isFar(entry)).map(({ path }) => path);
  shards.push({ content: "directories", paths: settled.sort(compareAsWalked) });
  return shards;
}

/** What a directory holds comes right behind it: `a/b` before `a-b`, which as bytes is the smaller one. */
function compareAsWalked(a: Buffer, b: Buffer): number {
  const [walkedA = "", walkedB = ""] = [a, b].map((path) => path.toString("latin1").replaceAll("/", "\0"));
  return walkedA < walkedB ? -1 : Number(walkedA > walkedB);
}

/** Each file of a place with all the paths that link to it there, in the order of their first paths. */
function groupLinks(entries: readonly TreeEntry[]): TreeEntry[][] {
  const groups: TreeEntry[][] = [];
  const byLink = new Map<string, TreeEntry[]>();
  for (const entry of entries) {
    const link = `${entry.linkId} ${entry.place}`;
    const group = entry.linkId === undefined ? undefined : byLink.get(link);
    if (group) {
      group.push(entry);
      continue;
    }
    const started = [entry];
    groups.push(started);
    if (entry.linkId !== undefined) byLink.set(link, started);
  }
  return groups;
}
