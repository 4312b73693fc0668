import { lstat, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "../../common/failure.ts";
import { resolveInRoot } from "../../common/rooted-path.ts";
import { isMountable, mountVolume } from "./mount-volume.ts";
import { partitionTypes } from "./partition-type.ts";
import type { Volume } from "./volume.ts";
import type { MountContext } from "./volume-file.ts";

export interface RootVolume {
  volume: Volume;
  /** btrfs: which subvolume to mount, as mount's option. Undefined: the default one, or another file system. */
  selection?: string;
}

/** openSUSE's first snapshot is its root, in case that it is not the default subvolume. */
const nestedSubvolumes = ["@/.snapshots/1/snapshot"];
/** A btrfs's top level has a handful of subvolumes. */
const maximumSubvolumes = 100;

/**
 * Finds the volume which holds the operating system: the one with /usr/lib/os-release or /etc/os-release. Where there
 * are several, the one whose partition has a root's type.
 * @throws Failure `root-missing`, `root-ambiguous` (failed), `volume-unreadable` (integrity)
 */
export async function findRoot(context: MountContext, volumes: readonly Volume[]): Promise<RootVolume> {
  const found: RootVolume[] = [];
  const unreadable: string[] = [];
  const candidates = volumes.filter((volume) => volume.fileSystem.kind !== "vfat" && isMountable(volume));
  for (const volume of candidates) {
    try {
      found.push(...(await probe(context, volume)));
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== "volume-unreadable") throw error;
      unreadable.push(error.message);
    }
  }
  const typed = found.filter(({ volume }) => partitionTypes[volume.partition?.type ?? ""] === "root");
  const [root, ...others] = typed.length > 0 ? typed : found;
  if (!root) throw rootMissing(volumes, unreadable);
  if (others.length > 0) throw rootAmbiguous([root, ...others]);
  return root;
}

async function probe(context: MountContext, volume: Volume): Promise<RootVolume[]> {
  const tree = await whileMounted(context, volume, undefined, holdsSystem);
  if (tree) return [{ volume }];
  if (volume.fileSystem.kind !== "btrfs") return [];
  const subvolumes = await whileMounted(context, volume, "subvolid=5", findSubvolumes);
  return subvolumes.map((subvolume) => ({ volume, selection: `subvol=/${subvolume}` }));
}

async function whileMounted<Result>(
  context: MountContext,
  volume: Volume,
  selection: string | undefined,
  look: (tree: string) => Promise<Result>,
): Promise<Result> {
  const directory = join(context.scratch, "probe");
  await mkdir(directory, { recursive: true });
  await mountVolume(context, volume, directory, selection);
  try {
    return await look(context.namespace.path(directory));
  } finally {
    await context.namespace.unmount(directory);
  }
}

async function holdsSystem(tree: string): Promise<boolean> {
  for (const path of ["usr/lib/os-release", "etc/os-release"]) {
    const stats = await lstat(await resolveInRoot(tree, path, "keep")).catch(() => undefined);
    if (stats?.isFile() || stats?.isSymbolicLink()) return true;
  }
  return false;
}

/** Every subvolume's root has the inode number 256 (btrfs(5), "Subvolumes"). */
async function findSubvolumes(tree: string): Promise<string[]> {
  const names = (await readdir(tree)).filter((name) => /^[\w@.-]+$/.test(name)).slice(0, maximumSubvolumes);
  const found: string[] = [];
  for (const name of [...names, ...nestedSubvolumes]) {
    const path = await resolveInRoot(tree, name, "keep");
    const stats = await lstat(path).catch(() => undefined);
    if (stats?.isDirectory() && stats.ino === 256 && (await holdsSystem(path))) found.push(name);
  }
  return found;
}

function rootMissing(volumes: readonly Volume[], unreadable: readonly string[]): Failure {
  const found = volumes.map(({ name, fileSystem }) => {
    const reason = fileSystem.unreadable === undefined ? "" : ` (${fileSystem.unreadable})`;
    return `${name}: ${fileSystem.kind}${reason}`;
  });
  const isEncrypted = volumes.some(({ fileSystem }) => fileSystem.kind === "luks");
  return new Failure({
    code: "root-missing",
    kind: "failed",
    message: `looking for the root file system: no volume holds an operating system; ${[...found, ...unreadable].join("; ")}`,
    hint: isEncrypted ? "take an image that is not encrypted" : "take an image with ext4, xfs or btrfs on one disk",
    data: { found, unreadable },
  });
}

function rootAmbiguous(roots: readonly RootVolume[]): Failure {
  const names = roots.map(({ volume, selection }) => (selection ? `${volume.name} (${selection})` : volume.name));
  return new Failure({
    code: "root-ambiguous",
    kind: "failed",
    message: `looking for the root file system: several volumes hold an operating system: ${names.join(", ")}`,
    hint: "take an image with one operating system",
    data: { names },
  });
}
