import { storageInvalid } from "./storage-invalid.ts";
import type { FullLayout, Preset, RaidLevel } from "./storage-schema.ts";

const levels: Record<Preset["preset"], RaidLevel | undefined> = {
  single: undefined,
  raid0: 0,
  raid1: 1,
  raid5: 5,
  raid6: 6,
  raid10: 10,
};

const bootSize = { bytes: 2 ** 30 };

/**
 * What a preset stands for, written out: / on one device of that kind, swap if asked for, and a /boot where a boot loader
 * might not read /.
 * @throws Failure `storage-invalid` (configuration)
 */
export function expandPreset(wanted: Preset): FullLayout {
  const { preset, lvm, filesystem, encrypt, swap, sync, syncSpeed, esp } = wanted;
  const level = levels[preset];
  if (level === undefined && sync !== undefined) throw storageInvalid("single has no array that could be synchronized");
  if (swap === "rest") throw storageInvalid("swap can't take the rest: / does");
  if (encrypt && swap !== undefined && !lvm) {
    throw storageInvalid("swap beside an encrypted / would hold its content in the clear", "add lvm: true");
  }

  /** A partition, or an array of the partitions of that name. */
  const place = (name: string, size: FullLayout["partitions"][number]["size"], array: ArraySettings | undefined) => ({
    partition: { name: array ? `${name}_raid` : name, group: "system", size },
    array: array && { name, on: `${name}_raid`, spares: 0, ...array },
  });
  const mirror: ArraySettings = { level: 1, metadata: "1.2", ...(level !== 0 && sync && { sync }) };
  // Metadata at the end: a boot loader without a RAID driver takes a member for the file system itself.
  const bootMirror: ArraySettings = { ...mirror, metadata: "1.0" };
  const main: ArraySettings | undefined =
    level === undefined ? undefined : { level, metadata: "1.2", ...(sync && { sync }) };

  const needsBoot = encrypt !== undefined || filesystem === "xfs" || (level !== undefined && level !== 1);
  const places = [
    ...(needsBoot ? [place("boot", bootSize, level === undefined ? undefined : bootMirror)] : []),
    ...(swap !== undefined && !lvm ? [place("swap", swap, level === undefined ? undefined : mirror)] : []),
    place("root", "rest", main),
  ];
  const base = encrypt ? "secret" : "root";
  const top = lvm ? "system/root" : base;
  return {
    esp,
    syncSpeed,
    partitions: places.map(({ partition }) => partition),
    raid: places.flatMap(({ array }) => array ?? []),
    luks: encrypt ? [{ name: "secret", on: "root", passphrase: encrypt.passphrase }] : [],
    lvm: lvm
      ? [
          {
            name: "system",
            on: base,
            volumes: [
              ...(swap === undefined ? [] : [{ name: "swap", size: swap, stripes: 1 }]),
              { name: "root", size: "rest", stripes: 1 },
            ],
          },
        ]
      : [],
    filesystems: [
      { on: top, type: filesystem, mount: "/" },
      ...(needsBoot ? [{ on: "boot", type: "ext4", mount: "/boot" } as const] : []),
      ...(swap === undefined ? [] : [{ on: lvm ? "system/swap" : "swap", type: "swap" } as const]),
    ],
  };
}

type ArraySettings = Pick<FullLayout["raid"][number], "level" | "metadata" | "sync">;
