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
 * first.
 */
export function planShards(entries: readonly TreeEntry[], limitBytes: number = shardBytes): PlannedShard[] {
  const directories = entries.filter(({ kind }) => kind === "directory").map(({ path }) => path);
  const shards: PlannedShard[] = [{ content: "directories", paths: directories }];
  let paths: Buffer[] = [];
  let bytes = 0;
  for (const group of groupLinks(entries.filter(({ kind }) => kind !== "directory"))) {
    const size = (group[0]?.sizeBytes ?? 0) + 512 * group.length;
    if (paths.length > 0 && bytes + size > limitBytes) {
      shards.push({ content: "files", paths });
      paths = [];
      bytes = 0;
    }
    paths.push(...group.map(({ path }) => path));
    bytes += size;
  }
  if (paths.length > 0) shards.push({ content: "files", paths });
  shards.push({ content: "directories", paths: directories });
  return shards;
}

/** Each file with all the paths that link to it, in the order of their first paths. */
function groupLinks(entries: readonly TreeEntry[]): TreeEntry[][] {
  const groups: TreeEntry[][] = [];
  const byLink = new Map<string, TreeEntry[]>();
  for (const entry of entries) {
    const group = entry.linkId === undefined ? undefined : byLink.get(entry.linkId);
    if (group) {
      group.push(entry);
      continue;
    }
    const started = [entry];
    groups.push(started);
    if (entry.linkId !== undefined) byLink.set(entry.linkId, started);
  }
  return groups;
}
