import type { BigIntStats } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";

/** A path as the file system has it: bytes, for nothing obliges a file's name to be UTF-8. */
export interface TreeEntry {
  /** Below the root, without a slash in front; empty for the root itself. */
  path: Buffer;
  /** A `far-link` is a symbolic link that is absolute or has `..` in it. */
  kind: "directory" | "file" | "far-link" | "other";
  sizeBytes: number;
  /** Names the file where several paths link to it. */
  linkId: string | undefined;
  /** What can be a file system of its own on a server, and hold a path like this: links do not lead out of it. */
  place: string;
  /** Moves with every change to content or metadata: nanoseconds. */
  changedAt: bigint;
}

const slash = Buffer.from("/");

/**
 * Lists a tree in the order of its paths' bytes. Sockets, which no archive keeps, and the root's lost+found, which
 * belongs to the file system and not to the tree, are left out.
 */
export async function listTree(root: string): Promise<TreeEntry[]> {
  const entries: TreeEntry[] = [describe(Buffer.alloc(0), await lstat(root, { bigint: true }))];
  const pending = [Buffer.alloc(0)];
  for (let parent = pending.pop(); parent; parent = pending.pop()) {
    const names = await readdir(absolute(root, parent), { encoding: "buffer" });
    const paths = names.map((name) => (parent.length > 0 ? Buffer.concat([parent, slash, name]) : name));
    const found = await Promise.all(paths.map(async (path) => ({ path, ...(await inspect(root, path)) })));
    for (const { path, stats, isFar } of found) {
      if (stats.isSocket() || path.equals(Buffer.from("lost+found"))) continue;
      entries.push(describe(path, stats, isFar));
      if (stats.isDirectory()) pending.push(path);
    }
  }
  return entries.sort((a, b) => Buffer.compare(a.path, b.path));
}

/** What the tree takes on a file system with blocks of 4 KiB: each file's content and one block beside it. */
export function unpackedSize(entries: readonly TreeEntry[]): number {
  const block = 4096;
  const counted = new Set<string>();
  let blocks = 0;
  for (const { linkId, place, sizeBytes } of entries) {
    const link = `${linkId} ${place}`;
    if (linkId !== undefined && counted.has(link)) continue;
    if (linkId !== undefined) counted.add(link);
    blocks += 1 + Math.ceil(sizeBytes / block);
  }
  return blocks * block;
}

/** @returns the first path that is not the same in both, if any */
export function firstChange(before: readonly TreeEntry[], after: readonly TreeEntry[]): Buffer | undefined {
  const length = Math.max(before.length, after.length);
  for (let index = 0; index < length; index += 1) {
    const [was, is] = [before[index], after[index]];
    if (was && is?.path.equals(was.path) && is.changedAt === was.changedAt) continue;
    return was && is ? (Buffer.compare(was.path, is.path) < 0 ? was.path : is.path) : (was ?? is)?.path;
  }
  return undefined;
}

function absolute(root: string, path: Buffer): Buffer {
  return Buffer.concat([Buffer.from(root), slash, path]);
}

async function inspect(root: string, path: Buffer): Promise<{ stats: BigIntStats; isFar: boolean }> {
  const stats = await lstat(absolute(root, path), { bigint: true });
  if (!stats.isSymbolicLink()) return { stats, isFar: false };
  const target = await readlink(absolute(root, path), { encoding: "latin1" });
  return { stats, isFar: target.startsWith("/") || target.split("/").includes("..") };
}

function describe(path: Buffer, stats: BigIntStats, isFar = false): TreeEntry {
  const kind = stats.isDirectory() ? "directory" : stats.isFile() ? "file" : isFar ? "far-link" : "other";
  const linked = kind !== "directory" && stats.nlink > 1n;
  return {
    path,
    kind,
    sizeBytes: kind === "file" ? Number(stats.size) : 0,
    linkId: linked ? `${stats.dev}:${stats.ino}` : undefined,
    place: /^(?:boot|home|opt|root|srv|tmp|usr|var)(?=\/)/.exec(path.toString("latin1"))?.[0] ?? "",
    changedAt: stats.ctimeNs,
  };
}
