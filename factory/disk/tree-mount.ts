import { lstat, readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { resolveInRoot } from "../../common/rooted-path.ts";
import type { MountNamespace } from "../namespace.ts";
import { isMountable, mountVolume } from "./mount-volume.ts";
import type { PassedOver, PlannedMount } from "./tree-plan.ts";
import type { Volume } from "./volume.ts";
import type { MountContext } from "./volume-file.ts";

export interface TreeMount {
  /** Within the tree: "/", "/boot". */
  mountPoint: string;
  volume: Volume;
  /** btrfs: the subvolume's path. */
  subvolume?: string;
  /** Inside the namespace. */
  directory: string;
}

/**
 * Mounts what belongs below the tree's root, one after the other, each where the image's own links lead within the tree.
 * What does not fit is passed over with the reason: the tree is read-only, so a directory that is not there cannot be made.
 * @throws Failure `volume-unreadable`, `link-loop` (integrity)
 */
export async function mountPlanned(
  context: MountContext,
  root: string,
  planned: readonly PlannedMount[],
): Promise<{ mounts: TreeMount[]; passedOver: PassedOver[] }> {
  const mounts: TreeMount[] = [];
  const passedOver: PassedOver[] = [];
  for (const plan of planned) {
    const { mountPoint, volume, selection, from } = plan;
    if (from === "type" && mounts.some((mount) => mount.volume === volume)) continue;
    const directory = await findDirectory(context.namespace, root, mountPoint);
    const reason = directory === undefined ? noDirectory : await reasonAgainst(context, plan, directory, root, mounts);
    if (directory !== undefined && reason === undefined) {
      await mountVolume(context, volume, directory, selection);
      mounts.push(await describeMount(context.namespace, mountPoint, volume, directory));
    } else if (from === "fstab" || reason !== noDirectory) {
      passedOver.push({ device: volume.name, mountPoint, from, reason: reason ?? noDirectory });
    }
  }
  return { mounts, passedOver };
}

export async function describeMount(
  namespace: MountNamespace,
  mountPoint: string,
  volume: Volume,
  directory: string,
): Promise<TreeMount> {
  const mount = { mountPoint, volume, directory };
  if (volume.fileSystem.kind !== "btrfs") return mount;
  return { ...mount, subvolume: await namespace.partMounted(directory) };
}

const noDirectory = "the tree has no such directory";

/** @returns a path inside the namespace without symbolic links; undefined where there is no directory */
async function findDirectory(namespace: MountNamespace, root: string, mountPoint: string): Promise<string | undefined> {
  const outside = await resolveInRoot(namespace.path(root), mountPoint, "follow");
  const stats = await lstat(outside).catch(() => undefined);
  return stats?.isDirectory() ? join(root, relative(namespace.path(root), outside)) : undefined;
}

async function reasonAgainst(
  { namespace }: MountContext,
  { volume, from }: PlannedMount,
  directory: string,
  root: string,
  mounts: readonly TreeMount[],
): Promise<string | undefined> {
  const { kind, unreadable } = volume.fileSystem;
  if (directory === root) return "it would hide the root";
  // Its links can lead above what is mounted already, whose files would vanish.
  const hidden = mounts.find((mount) => `${mount.directory}/`.startsWith(`${directory}/`));
  if (hidden) return `it would hide ${hidden.mountPoint}`;
  if (!isMountable(volume)) return unreadable ?? `its kind is ${kind}`;
  if (from === "type" && (await readdir(namespace.path(directory))).length > 0) return "its directory is not empty";
  return undefined;
}
