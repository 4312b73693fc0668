import type { Mount } from "../common/mount-table.ts";

/** What the kernel says of the file systems that the running system consists of. Numbers are "8:1". */
export interface SystemView {
  mounts: readonly Mount[];
  /** Of the file systems that hold /, /usr and the running program. */
  rootNumbers: readonly string[];
  /** Of the file systems that hold an overlay's layers, by the path that the overlay names. */
  layerNumbers: ReadonlyMap<string, string>;
  /** Of the file systems that hold the files of loop devices, by the loop device's number. */
  loopNumbers: ReadonlyMap<string, string>;
  /** Of block devices, by path. */
  deviceNumbers: ReadonlyMap<string, string>;
  /** Of the devices of each btrfs that is mounted. */
  pools: readonly (readonly string[])[];
}

export interface RunningSystem {
  /** Block devices that the running system needs. */
  deviceNumbers: ReadonlySet<string>;
  /** Whether every layer was followed down to a device, or to memory or network. */
  isComplete: boolean;
}

const withoutDevice = new Set(["rootfs", "tmpfs", "ramfs", "nfs", "nfs4", "9p", "virtiofs", "hostfs", "cifs", "ceph"]);

/**
 * Finds what the running system lies on, also where a live system lays an overlay over a squashfs in a file on a medium.
 * The paths of an overlay's layers are those of the initramfs, which may be gone: then what was mounted before the root
 * and what lies beneath loop devices counts as the running system's.
 */
export function findRunningSystem(view: SystemView): RunningSystem {
  const devices = new Set<string>();
  const seen = new Set<string>();
  const isDevice = (number: string) => [...view.deviceNumbers.values()].includes(number);
  let isComplete = true;

  const follow = (number: string | undefined): void => {
    if (number === undefined) {
      isComplete = false;
      return;
    }
    if (seen.has(number)) return;
    seen.add(number);
    if (isDevice(number)) {
      devices.add(number);
      const pool = view.pools.find((members) => members.includes(number)) ?? [];
      for (const member of pool) follow(member);
      if (view.loopNumbers.has(number)) follow(view.loopNumbers.get(number));
      return;
    }
    const mount = view.mounts.findLast(({ deviceNumber }) => deviceNumber === number);
    if (mount?.type === "overlay") {
      for (const layer of layersOf(mount)) {
        const below = view.layerNumbers.get(layer);
        follow(below === number ? undefined : below);
      }
    } else if (!mount || !withoutDevice.has(mount.type)) follow(mount && view.deviceNumbers.get(mount.source));
  };

  for (const number of view.rootNumbers) follow(number);
  if (!isComplete) {
    const root = view.mounts.findLast(({ mountPoint }) => mountPoint === "/");
    const earlier = view.mounts.filter(({ id }) => root !== undefined && id < root.id);
    for (const { deviceNumber, source } of earlier) {
      const number = view.deviceNumbers.get(source) ?? deviceNumber;
      if (isDevice(number)) follow(number);
    }
    for (const number of view.loopNumbers.values()) follow(number);
  }
  return { deviceNumbers: devices, isComplete };
}

/** The directories that an overlay lies on (Linux, filesystems/overlayfs): read-only ones, and the one that is written to. */
export function layersOf({ options }: Mount): string[] {
  return options.flatMap((option) => {
    const [, name, value = ""] = /^(lowerdir\+?|upperdir|datadir\+)=(.*)$/s.exec(option) ?? [];
    if (name !== "lowerdir") return name === undefined ? [] : [value];
    // Colons part the layers; one in a path has a backslash before it.
    return value.split(/(?<!\\):+/).map((path) => path.replaceAll("\\:", ":"));
  });
}
