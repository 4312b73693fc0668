import { join } from "node:path";
import { Failure } from "../../common/failure.ts";
import { runInJail } from "./jail.ts";
import type { Volume } from "./volume.ts";
import { copyPlayedBack, locateVolume, type MountContext, type VolumeFile } from "./volume-file.ts";

const always = ["ro", "noexec"];

/**
 * Journals are not played back here. The superblock's own wish for errors, which may be a panic of this machine
 * (tune2fs(8), -e), does not count. Two xfs may have one UUID: the same image is opened twice.
 */
const mounts: Readonly<Record<string, { type: "ext4" | "xfs" | "btrfs"; options: string[] } | undefined>> = {
  ext2: { type: "ext4", options: ["noload", "errors=continue"] },
  ext3: { type: "ext4", options: ["noload", "errors=continue"] },
  ext4: { type: "ext4", options: ["noload", "errors=continue"] },
  xfs: { type: "xfs", options: ["nouuid"] },
  btrfs: { type: "btrfs", options: ["rescue=nologreplay"] },
};

/** More than any EFI system partition holds. It is memory of this machine. */
const maximumVfatBytes = 512 * 2 ** 20;

/** What this machine can show of a volume. */
export function isMountable({ fileSystem }: Volume): boolean {
  return fileSystem.unreadable === undefined && (fileSystem.kind === "vfat" || mounts[fileSystem.kind] !== undefined);
}

/**
 * Mounts a volume read-only.
 * @param directory inside the namespace, without symbolic links
 * @param selection btrfs: `subvol=PATH` or `subvolid=NUMBER` in place of the default subvolume
 * @throws Failure `volume-unreadable` (integrity), `interrupted`
 */
export async function mountVolume(
  context: MountContext,
  volume: Volume,
  directory: string,
  selection?: string,
): Promise<void> {
  const { kind, unreadable } = volume.fileSystem;
  if (unreadable !== undefined) throw volumeUnreadable(volume, unreadable);
  const { namespace, signal } = context;
  try {
    if (kind === "vfat") return await copyVfat(context, volume, directory);
    const how = mounts[kind];
    if (!how) throw volumeUnreadable(volume, `its kind is ${kind}`);
    const options = [...always, ...how.options, ...(selection === undefined ? [] : [selection])];
    const mount = ({ file, range }: VolumeFile) =>
      namespace.mount({ source: file, directory, type: how.type, options, range, ...(signal && { signal }) });
    if (kind === "xfs") await mountXfs(context, volume, mount);
    else await mount(await locateVolume(context, volume));
  } catch (error) {
    throw isUnmountable(error) ? volumeUnreadable(volume, error.message, error) : error;
  }
}

/**
 * xfs tells of changes in its journal only by refusing a read-only device (Linux, fs/xfs/xfs_log_recover.c). Then they
 * are played back in a copy, and what is damaged fails there.
 */
async function mountXfs(
  context: MountContext,
  volume: Volume,
  mount: (place: VolumeFile) => Promise<void>,
): Promise<void> {
  try {
    await mount(await locateVolume(context, volume));
  } catch (error) {
    if (!isUnmountable(error) || context.copies.get(volume.name)?.isPlayedBack) throw error;
    await mount(await copyPlayedBack(context, volume));
  }
}

/** What mount said of the file system, and not of this machine: that its kernel lacks a kind, or has no loop device. */
function isUnmountable(error: unknown): error is Failure {
  return (
    error instanceof Failure &&
    error.code === "command-failed" &&
    !/unknown filesystem type|loop device/.test(error.message)
  );
}

/**
 * Not every kernel that builds has vfat: mtools copies the files into memory. It runs in a jail, for a hostile
 * directory may hold names such as ../x.
 */
async function copyVfat(context: MountContext, volume: Volume, directory: string): Promise<void> {
  const { namespace, scratch, signal } = context;
  const { file, range } = await locateVolume(context, volume);
  const options = [`size=${Math.min(volume.sizeBytes + 2 ** 20, maximumVfatBytes)}`, "nr_inodes=20000", "mode=700"];
  await namespace.mount({ source: "vfat", directory, type: "tmpfs", options: [...options, "noexec"] });
  const runOptions = { doing: `reading ${volume.name}`, timeoutMs: 120_000, ...(signal && { signal }) };
  const binds = [
    { source: file, name: "disk", access: "read" },
    { source: directory, name: "target", access: "write" },
  ] as const;
  const copy = ["mcopy", "-i", `/disk@@${range.offsetBytes}`, "-s", "-m", "-n", "::/", "/target/"] as const;
  await runInJail(namespace, join(scratch, "vfat"), binds, copy, runOptions);
  await namespace.run("mount", ["-o", "remount,ro", directory], { doing: `closing ${directory}` });
}

function volumeUnreadable({ name, fileSystem }: Volume, reason: string, cause?: unknown): Failure {
  return new Failure({
    code: "volume-unreadable",
    kind: "integrity",
    message: `reading ${name} (${fileSystem.kind}): ${reason}`,
    hint: "the image is damaged or was made to mislead: get it again from its vendor",
    ...(cause === undefined ? {} : { cause }),
  });
}
