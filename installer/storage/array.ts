import { assertSameSectors } from "../disk-sectors.ts";
import { deriveUuid } from "../identity.ts";
import { labelPath } from "../label-disk.ts";
import type { Command, Step, TargetFile } from "../step.ts";
import type { Device } from "./device.ts";
import { storageInvalid } from "./storage-invalid.ts";
import type { FullLayout, RaidLevel, SyncMode } from "./storage-schema.ts";

/** A Linux software RAID array. */
export interface ArrayLayout {
  name: string;
  /** Where it appears while it is assembled. */
  path: string;
  level: RaidLevel;
  /** Active members first, spares last. */
  members: readonly string[];
  spares: number;
  metadata: "1.0" | "1.2";
  /** Undefined for a mirror, which has none. */
  chunkBytes: number | undefined;
  bitmap: "internal" | "none";
  sync: SyncMode | undefined;
  /** mdadm writes it in four groups of eight digits. */
  uuid: string;
  homehost: string;
}

type ArrayWish = FullLayout["raid"][number];

const kibibyte = 1024;
const mebibyte = 2 ** 20;
const defaultChunkBytes = 512 * kibibyte;

/** How few members make a level, and how many of n hold data. */
const levels: Record<RaidLevel, { least: number; data: (members: number) => number; parity: boolean }> = {
  0: { least: 2, data: (members) => members, parity: false },
  1: { least: 2, data: () => 1, parity: false },
  4: { least: 3, data: (members) => members - 1, parity: true },
  5: { least: 3, data: (members) => members - 1, parity: true },
  6: { least: 4, data: (members) => members - 2, parity: true },
  // Two copies, "near": half of it, with an odd number of members too.
  10: { least: 2, data: (members) => members / 2, parity: false },
};

/**
 * @param below the members, spares included, in order
 * @throws Failure `storage-invalid`, `disk-sectors-mixed` (configuration)
 */
export function layOutArray(
  wish: ArrayWish,
  below: readonly Device[],
  instanceUuid: string,
  hostname: string,
): Device & { kind: "array" } {
  const { name, level, spares, metadata } = wish;
  checkArray(wish, below);
  const active = below.length - spares;
  const { data, parity } = levels[level];
  const chunkBytes = level === 1 ? undefined : (wish.chunk ?? defaultChunkBytes);
  const digits = deriveUuid(instanceUuid, `array ${name}`).replaceAll("-", "");
  const array: ArrayLayout = {
    name,
    path: `/dev/md/${name}`,
    level,
    members: below.map(({ path }) => path),
    spares,
    metadata,
    chunkBytes,
    bitmap: level === 0 ? "none" : (wish.bitmap ?? "internal"),
    sync: level === 0 ? undefined : (wish.sync ?? (parity ? "create" : "first-boot")),
    uuid: digits.match(/.{8}/g)?.join(":") ?? digits,
    homehost: hostname,
  };
  const step = chunkBytes ?? 64 * kibibyte;
  const members = below.map(({ sizeBytes }) => Math.floor((sizeBytes - reservedBytes(sizeBytes, step)) / step) * step);
  const sizeBytes =
    level === 0
      ? members.reduce((sum, bytes) => sum + bytes, 0)
      : Math.floor((Math.min(...members) * data(active)) / step) * step;
  if (Math.min(...members) < mebibyte) throw storageInvalid(`the members of the array ${name} are too small for one`);
  return {
    kind: "array",
    array,
    path: array.path,
    sizeBytes,
    logicalSectorBytes: below[0]?.logicalSectorBytes ?? 512,
    stripeBytes: chunkBytes === undefined ? 0 : chunkBytes * Math.ceil(data(active)),
    disks: below.flatMap(({ disks }) => disks),
    below,
  };
}

/**
 * What md keeps of a member for itself, at most. mdadm leaves 128 MiB before the data, and halves that while it is more
 * than a thousandth of the member and some chunks; superblock, bitmap and the log of bad blocks come to less than the
 * rest. mdadm 4.2, super1.c, `validate_geometry1`.
 */
function reservedBytes(memberBytes: number, chunkBytes: number): number {
  return Math.min(128 * mebibyte, Math.max(memberBytes / 512, 8 * chunkBytes, mebibyte)) + 4 * mebibyte;
}

function checkArray({ name, level, spares, chunk, bitmap, sync }: ArrayWish, below: readonly Device[]): void {
  const { least, parity } = levels[level];
  const active = below.length - spares;
  if (active < least) {
    const found = `${Math.max(active, 0)} member(s)${spares > 0 ? ` beside ${spares} spare(s)` : ""}`;
    throw storageInvalid(`RAID${level} wants at least ${least} members, and ${name} has ${found}`, "raise disks.count");
  }
  const disks = below.flatMap((device) => [...new Set(device.disks)]);
  const twice = disks.find((disk, index) => disks.indexOf(disk) !== index);
  if (twice !== undefined)
    throw storageInvalid(`two members of the array ${name} are on one disk, ${labelPath(twice)}`);
  assertSameSectors(below, name);
  const useless = [
    level === 0 && spares > 0 && "spares",
    level === 0 && bitmap === "internal" && "a bitmap",
    level === 0 && sync !== undefined && "sync",
    level === 1 && chunk !== undefined && "a chunk",
  ].find((word) => word !== false);
  if (useless !== undefined) throw storageInvalid(`the array ${name} is RAID${level}, which has no use for ${useless}`);
  if (parity && sync === "assume-clean") {
    throw storageInvalid(
      `the array ${name} is RAID${level}, whose parity is wrong until it is written: it can't be assumed clean`,
      "choose sync: create, zero or first-boot",
    );
  }
}

/**
 * Creates an array. Its members are made equal as `sync` says:
 * - `first-boot`: later, by the installed system; until the target stops the array the resync is frozen, so that it does
 *   not compete with the installation. All that is written goes to every member from the start, so a mirror can lose one
 *   at any time; parity cannot.
 * - `create`: now, before the image is laid (see `waitForSync`).
 * - `zero`: zeros on all members now, whose parity is zero. Quick where the disks write zeros by themselves.
 * - `assume-clean`: never; of a mirror, blocks that nothing has written may differ.
 */
export function assembleStep(array: ArrayLayout): Step {
  const { name, path, level, members, spares, metadata, chunkBytes, bitmap, sync, uuid, homehost } = array;
  const create = [
    "--create",
    path,
    "--run",
    `--level=${level}`,
    `--raid-devices=${members.length - spares}`,
    ...(spares > 0 ? [`--spare-devices=${spares}`] : []),
    `--metadata=${metadata}`,
    ...(chunkBytes === undefined ? [] : [`--chunk=${chunkBytes / kibibyte}K`]),
    ...(level === 0 ? [] : [`--bitmap=${bitmap}`]),
    ...(sync === "zero" || sync === "assume-clean" ? ["--assume-clean"] : []),
    // Otherwise mdadm begins with a member too few and rebuilds it: mdadm(8), --force.
    ...(levels[level].parity ? ["--force"] : []),
    `--name=${name}`,
    `--homehost=${homehost}`,
    `--uuid=${uuid}`,
    ...members,
  ];
  return {
    kind: "commands",
    name: `assemble-${name}`,
    title: `assemble RAID${level} ${name} of ${members.length} members`,
    commands: [
      ["udevadm", "settle"],
      ...(sync === "zero" ? members.map((member): Command => ["blkdiscard", "--force", "--zeroout", member]) : []),
      ["mdadm", ...create],
      // mdadm waits for udev too, but not for long.
      ["udevadm", "wait", "--settle", "--timeout=60", path],
      ...(sync === "first-boot" ? [["mdadm", "--misc", "--action=frozen", path] as const] : []),
      ["wipefs", "--all", "--force", "--quiet", path],
    ],
  };
}

/** What the kernel calls the driver of a level. */
export function raidModule(level: RaidLevel): string {
  return levels[level].parity ? "raid456" : `raid${level}`;
}

/** mdadm.conf(5), which lies where the distribution looks for it. None where there are no arrays. */
export function arrayFiles(path: string, arrays: readonly ArrayLayout[]): TargetFile[] {
  if (arrays.length === 0) return [];
  const lines = ["HOMEHOST <system>", "MAILADDR root", ...arrays.map(describeArray)];
  return [{ path, mode: 0o644, content: `${lines.join("\n")}\n` }];
}

/** The UUID alone finds an array; a name is cut where it is long. */
function describeArray({ path, uuid, metadata }: ArrayLayout): string {
  return `ARRAY ${path} metadata=${metadata} UUID=${uuid}`;
}
