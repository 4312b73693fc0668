import { access, readdir, readFile, realpath } from "node:fs/promises";
import { run } from "../../common/run.ts";
import { findErasure } from "./erasure.ts";
import { parseStack, type RawDevice, type RawStack, type StackedDevice } from "./parse-stack.ts";
import { readAnySignatures } from "./signatures.ts";

export type { StackedDevice } from "./parse-stack.ts";

/**
 * Everything on the machine's disks, and what lies on what: partitions, arrays (also inactive ones), mappings (LVM,
 * LUKS), bcache, with what of it is mounted or used as swap. Changes nothing. What can't be read has no signatures here:
 * the proof after wiping is stricter.
 */
export async function inspectStack(signal?: AbortSignal): Promise<StackedDevice[]> {
  const links = await readLinks();
  const names = (await readdir("/sys/class/block")).sort();
  const found = await Promise.all(names.map((name) => readDevice(name, links, signal)));
  const inSysfs = found.filter((device) => device !== undefined);
  const readable = inSysfs.filter(({ sizeBytes, isSuspended }) => sizeBytes > 0 && !isSuspended);
  const byPath = await readAnySignatures(
    readable.map(({ name }) => `/dev/${name}`),
    signal,
  );
  const devices = await Promise.all(
    inSysfs.map(async (device): Promise<RawDevice> => {
      const path = `/dev/${device.name}`;
      const signatures = byPath.get(path) ?? [];
      const isMember = signatures.some(({ type }) => type === "linux_raid_member");
      return { ...device, signatures, contentOffset: isMember ? await readContentOffset(path, signal) : undefined };
    }),
  );
  const hasVolumes = devices.some(({ signatures }) => signatures.some(({ type }) => type === "LVM2_member"));
  return parseStack({
    devices,
    mounts: await readFile("/proc/self/mountinfo", "utf8"),
    swaps: await readSwaps(),
    btrfs: await readMountedBtrfs(),
    physicalVolumes: hasVolumes ? await readPhysicalVolumes(signal) : "",
  });
}

/** What sysfs alone says of a device. A suspended mapping would keep its reader waiting. */
type DeviceInSysfs = Omit<RawDevice, "signatures" | "contentOffset"> & { isSuspended: boolean };

async function readDevice(
  entry: string,
  links: ReadonlyMap<string, string[]>,
  signal: AbortSignal | undefined,
): Promise<DeviceInSysfs | undefined> {
  const directory = await realpath(`/sys/class/block/${entry}`).catch(() => undefined);
  if (directory === undefined) return undefined;
  const read = async (file: string) => (await readFile(`${directory}/${file}`, "utf8").catch(() => "")).trim();
  const kind = await kindOf(entry, directory);
  // sysfs writes 512-byte units whatever the device's sectors are: Documentation/ABI/stable/sysfs-block.
  const sizeBytes = Number(await read("size")) * 512;
  const slaves = await readdir(`${directory}/slaves`).catch(() => []);
  // An array that has no size yet counts where it holds members; an empty card reader does not.
  if (kind === undefined || (sizeBytes === 0 && slaves.length === 0)) return undefined;
  // sysfs writes the slashes of old names, such as cciss/c0d0, as exclamation marks.
  const name = entry.replaceAll("!", "/");
  return {
    name,
    kind,
    deviceNumber: await read("dev"),
    sizeBytes,
    parent: kind === "partition" ? directory.split("/").at(-2)?.replaceAll("!", "/") : undefined,
    slaves: slaves.map((slave) => slave.replaceAll("!", "/")),
    links: links.get(`/dev/${name}`) ?? [],
    partitionNumber: kind === "partition" ? Number(await read("partition")) : undefined,
    mappingName: kind === "mapping" ? await read("dm/name") : undefined,
    array:
      kind === "array"
        ? {
            state: await read("md/array_state"),
            level: await read("md/level"),
            metadata: await read("md/metadata_version"),
          }
        : undefined,
    isSuspended: (await read("dm/suspended")) === "1",
    bcacheStop: await findBcacheStop(directory),
    erasure: kind === "disk" ? await findErasure(name, directory, signal) : undefined,
  };
}

/** @returns undefined for what is no part of a disk: loop devices, memory disks, optical drives */
async function kindOf(entry: string, directory: string): Promise<RawDevice["kind"] | undefined> {
  const has = (file: string) =>
    access(`${directory}/${file}`).then(
      () => true,
      () => false,
    );
  if (await has("partition")) return "partition";
  if (entry.startsWith("md")) return "array";
  if (await has("dm")) return "mapping";
  if (/^bcache\d+$/.test(entry)) return "bcache";
  // Drives behind several NVMe controllers are virtual devices too.
  const isVirtual = directory.startsWith("/sys/devices/virtual/") && !entry.startsWith("nvme");
  const isHidden = (await readFile(`${directory}/hidden`, "utf8").catch(() => "0")).trim() === "1";
  return isVirtual || isHidden || /^(sr|fd)\d+$/.test(entry) ? undefined : "disk";
}

/** Documentation/admin-guide/bcache.rst: a caching device belongs to a set, a backing device stands for itself. */
async function findBcacheStop(directory: string): Promise<string | undefined> {
  const candidates = ["bcache/set/stop", "bcache/stop"].map((file) => realpath(`${directory}/${file}`));
  return Promise.any(candidates).catch(() => undefined);
}

async function readLinks(): Promise<Map<string, string[]>> {
  const directory = "/dev/disk/by-id";
  const links = new Map<string, string[]>();
  for (const entry of (await readdir(directory).catch(() => [])).sort()) {
    const target = await realpath(`${directory}/${entry}`).catch(() => undefined);
    if (target !== undefined) links.set(target, [...(links.get(target) ?? []), `${directory}/${entry}`]);
  }
  return links;
}

/** proc_swaps(5): a heading, then one line each, the path first. */
async function readSwaps(): Promise<string[]> {
  const lines = (await readFile("/proc/swaps", "utf8").catch(() => "")).trim().split("\n").slice(1);
  const paths = lines.map((line) => line.split(/\s+/)[0] ?? "").filter(Boolean);
  return Promise.all(paths.map((path) => realpath(path).catch(() => path)));
}

async function readMountedBtrfs(): Promise<RawStack["btrfs"]> {
  const directory = "/sys/fs/btrfs";
  const uuids = (await readdir(directory).catch(() => [])).filter((entry) => entry.length === 36);
  return Promise.all(uuids.map((uuid) => readdir(`${directory}/${uuid}/devices`).catch(() => [])));
}

/**
 * Without LVM's answer nobody knows which volume group spans another disk, so that a failure is one. `--readonly` takes
 * no locks, and 5 is LVM's exit status where a part of the answer is missing: lvm(8).
 */
async function readPhysicalVolumes(signal: AbortSignal | undefined): Promise<string> {
  const options = ["--readonly", "--reportformat", "json", "--options", "pv_name,vg_name,vg_uuid"];
  const { stdout } = await run("pvs", [...options, "--config", "devices/use_devicesfile=0"], {
    doing: "listing LVM's physical volumes",
    accept: [0, 5],
    timeoutMs: 60_000,
    ...(signal && { signal }),
  });
  return stdout;
}

/** mdadm prints sectors of 512 bytes; superblocks of version 0.90 and 1.0 lie behind the content. */
async function readContentOffset(path: string, signal: AbortSignal | undefined): Promise<number | undefined> {
  const { stdout } = await run("mdadm", ["--examine", path], {
    doing: `reading the array superblock of ${path}`,
    timeoutMs: 30_000,
    ...(signal && { signal }),
  }).catch(() => ({ stdout: "" }));
  const sectors = /^\s*Data Offset : (\d+) sectors/m.exec(stdout)?.[1];
  return sectors === undefined ? undefined : Number(sectors) * 512;
}
