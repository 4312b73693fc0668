import { constants } from "node:fs";
import { lstat, mkdir, open, statfs } from "node:fs/promises";
import { Failure } from "../../common/failure.ts";
import { resolveInRoot } from "../../common/rooted-path.ts";
import type { MountNamespace } from "../namespace.ts";
import { DiskFile } from "./block-source.ts";
import { type FstabEntry, maximumFstabBytes, parseFstab } from "./fstab.ts";
import { mountVolume } from "./mount-volume.ts";
import type { PartitionTable } from "./partition-table.ts";
import { findRoot } from "./root-volume.ts";
import { describeMount, mountPlanned, type TreeMount } from "./tree-mount.ts";
import { type PassedOver, planTree } from "./tree-plan.ts";
import { findVolumes, type Volume } from "./volume.ts";
import type { MountContext } from "./volume-file.ts";

export interface MountTreeOptions {
  namespace: MountNamespace;
  /** Where the tree is mounted: an existing directory. */
  directory: string;
  /** A folder to work in, made where there is none. */
  scratch: string;
  signal?: AbortSignal;
}

/** What was found on a disk, and what became of it. */
export interface MountedTree {
  table: PartitionTable["kind"];
  volumes: Volume[];
  /** The root first. */
  mounts: TreeMount[];
  passedOver: PassedOver[];
  /** What the mounted file systems have in use, on the disk: btrfs may hold more, compressed. */
  usedBytes: number;
}

/**
 * Mounts the operating system on a disk as one tree, read-only: its root, and what the root's fstab and the partitions'
 * types put below it. Device nodes, set-user-ID bits and programs mean nothing there. Everything ends with the namespace.
 * @param path a raw disk, hostile
 * @throws Failure `root-missing`, `root-ambiguous`, `mount-missing` (failed), `volume-unreadable`,
 *   `partition-table-invalid`, `lvm-invalid`, `fstab-too-long`, `link-loop` (integrity), `interrupted`
 */
export async function mountTree(path: string, options: MountTreeOptions): Promise<MountedTree> {
  const { namespace, directory, scratch, signal } = options;
  await mkdir(scratch, { recursive: true });
  await using disk = await DiskFile.open(path);
  const { table, volumes } = await findVolumes(disk);
  const context: MountContext = { namespace, disk, scratch, copies: new Map(), ...(signal && { signal }) };
  const root = await findRoot(context, volumes);
  await mountVolume(context, root.volume, directory, root.selection);
  const { planned, passedOver } = planTree(await readFstab(namespace.path(directory)), volumes, root.volume);
  const below = await mountPlanned(context, directory, planned);
  const mounts = [await describeMount(namespace, "/", root.volume, directory), ...below.mounts];
  const passed = [...passedOver, ...below.passedOver];
  assertWhole(passed, mounts);
  return {
    table,
    volumes,
    mounts,
    passedOver: passed,
    usedBytes: await measure(namespace, mounts),
  };
}

/** An image without fstab is an image whose partitions' types say all, or which has but one. */
async function readFstab(tree: string): Promise<FstabEntry[]> {
  const path = await resolveInRoot(tree, "etc/fstab", "follow");
  const stats = await lstat(path).catch(() => undefined);
  if (!stats?.isFile()) return [];
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(maximumFstabBytes + 1), position: 0 });
  return parseFstab(buffer.toString("utf8", 0, bytesRead));
}

/** Without these a tree has no kernel, or no programs. */
const indispensable = new Set(["/boot", "/usr"]);

/** @throws Failure `mount-missing` (failed) */
function assertWhole(passedOver: readonly PassedOver[], mounts: readonly TreeMount[]): void {
  const mounted = new Set(mounts.map(({ mountPoint }) => mountPoint));
  const missing = passedOver.find(
    ({ from, mountPoint }) => from === "fstab" && indispensable.has(mountPoint) && !mounted.has(mountPoint),
  );
  if (!missing) return;
  const { device, mountPoint, reason } = missing;
  throw new Failure({
    code: "mount-missing",
    kind: "failed",
    message: `putting the tree together: fstab wants ${device} on ${mountPoint}: ${reason}`,
    hint: "take an image that holds all of its own file systems on one disk",
    data: { device, mountPoint, reason },
  });
}

/** Each file system once, however many of its subvolumes are mounted. */
async function measure(namespace: MountNamespace, mounts: readonly TreeMount[]): Promise<number> {
  const directories = new Map(mounts.map(({ volume, directory }) => [volume, directory]));
  let usedBytes = 0;
  for (const directory of directories.values()) {
    const { blocks, bfree, bsize } = await statfs(namespace.path(directory));
    usedBytes += (blocks - bfree) * bsize;
  }
  return usedBytes;
}
