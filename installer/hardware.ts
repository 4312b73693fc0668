import { constants } from "node:fs";
import { access, open, readdir, readFile, realpath } from "node:fs/promises";
import { totalmem } from "node:os";
import { z } from "zod";
import { checkRoot } from "../common/root.ts";
import { run } from "../common/run.ts";

/** One whole disk, as the plan sees it. */
export interface Disk {
  /** Kernel name, which changes between boots: /dev/sda. For people only. */
  name: string;
  /** The stable path that every command uses: /dev/disk/by-id/... */
  path: string;
  sizeBytes: number;
  logicalSectorBytes: number;
  model: string;
  vendor: string;
  serial: string;
  wwn: string;
  transport: string;
  rotational: boolean;
  readOnly: boolean;
  /** What the partition table shows now, as kernel names. */
  partitions: string[];
  /** What uses the disk right now, in words: "/dev/sda2 is mounted on /". Empty: free. */
  heldBy: string[];
  /** The running (rescue) system's own root lies on it. */
  holdsRunningSystem: boolean;
}

export interface Hardware {
  firmware: "uefi" | "bios";
  /** SMBIOS system UUID, where the machine has one. */
  systemUuid: string | undefined;
  memoryBytes: number;
  /** `console=` arguments of the running kernel, to be carried over to the target. */
  consoles: string[];
  disks: Disk[];
}

interface BlockDevice {
  name: string;
  path: string;
  type: string;
  size: number;
  model: string | null;
  vendor: string | null;
  serial: string | null;
  wwn: string | null;
  tran: string | null;
  rota: boolean;
  ro: boolean;
  "log-sec": number;
  mountpoints: (string | null)[];
  children?: BlockDevice[] | undefined;
}

const text = z.string().nullable();
const blockDeviceSchema: z.ZodType<BlockDevice> = z.object({
  name: z.string(),
  path: z.string(),
  type: z.string(),
  size: z.number(),
  model: text,
  vendor: text,
  serial: text,
  wwn: text,
  tran: text,
  rota: z.boolean(),
  ro: z.boolean(),
  "log-sec": z.number(),
  mountpoints: z.array(text),
  get children() {
    return z.array(blockDeviceSchema).optional();
  },
});
const lsblkSchema = z.object({ blockdevices: z.array(blockDeviceSchema) });

const columns = Object.keys({
  name: 0,
  path: 0,
  type: 0,
  size: 0,
  model: 0,
  vendor: 0,
  serial: 0,
  wwn: 0,
  tran: 0,
  rota: 0,
  ro: 0,
  "log-sec": 0,
  mountpoints: 0,
} satisfies Record<Exclude<keyof BlockDevice, "children">, 0>);

/**
 * Looks at the running machine and changes nothing. @throws Failure `not-root` (configuration): what holds a disk shows
 * to root alone
 */
export async function discoverHardware(signal?: AbortSignal): Promise<Hardware> {
  checkRoot("looking at the disks");
  const { stdout } = await run("lsblk", ["--json", "--bytes", "--output", columns.join(",")], {
    doing: "listing the disks",
    ...(signal && { signal }),
  });
  const devices = lsblkSchema
    .parse(JSON.parse(stdout))
    .blockdevices.filter(({ type, size }) => type === "disk" && size > 0);
  const stablePaths = await readStablePaths();
  const disks = await Promise.all(devices.map((device) => describeDisk(device, stablePaths)));
  return {
    firmware: await access("/sys/firmware/efi").then(
      () => "uefi" as const,
      () => "bios" as const,
    ),
    systemUuid: await readSystemUuid(),
    memoryBytes: totalmem(),
    consoles: (await readFile("/proc/cmdline", "utf8")).split(/\s+/).filter((word) => /^console=tty/.test(word)),
    disks: disks.sort((a, b) => (a.path < b.path ? -1 : 1)),
  };
}

async function describeDisk(device: BlockDevice, stablePaths: Map<string, string>): Promise<Disk> {
  const heldBy = holders(device, device);
  const holdsRunningSystem = mountPoints(device).includes("/");
  if (heldBy.length === 0 && (await isClaimed(device.path))) {
    heldBy.push(`${device.path} is claimed by the kernel (mounted in another namespace, or below an overlay)`);
  }
  return {
    name: device.path,
    path: stablePaths.get(device.path) ?? device.path,
    sizeBytes: device.size,
    logicalSectorBytes: device["log-sec"],
    model: device.model?.trim() ?? "",
    vendor: device.vendor?.trim() ?? "",
    serial: device.serial?.trim() ?? "",
    wwn: device.wwn?.trim() ?? "",
    transport: device.tran ?? "",
    rotational: device.rota,
    readOnly: device.ro,
    partitions: (device.children ?? []).filter(({ type }) => type === "part").map(({ path }) => path),
    heldBy,
    holdsRunningSystem,
  };
}

function mountPoints(device: BlockDevice): string[] {
  return [device.mountpoints.filter((point) => point !== null), (device.children ?? []).map(mountPoints)].flat(2);
}

function holders(device: BlockDevice, disk: BlockDevice): string[] {
  const own = device.mountpoints
    .filter((point) => point !== null)
    .map((point) => (point === "[SWAP]" ? `${device.path} is used as swap` : `${device.path} is mounted on ${point}`));
  if (device !== disk && device.type !== "part") own.push(`${device.path} (${device.type}) is active on it`);
  return [...own, ...(device.children ?? []).flatMap((child) => holders(child, disk))];
}

/**
 * An exclusive open is refused while anything in the kernel holds the disk or a partition of it: open(2), O_EXCL on
 * block devices.
 */
async function isClaimed(path: string): Promise<boolean> {
  try {
    await (await open(path, constants.O_RDONLY | constants.O_EXCL)).close();
    return false;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EBUSY") return true;
    throw error;
  }
}

/** Bus names with model and serial before bare WWNs: both are stable, the former tell a person which disk it is. */
const preference = [/^nvme-(?!eui)/, /^ata-/, /^scsi-S/, /^scsi-/, /^virtio-/, /^usb-/, /^wwn-/, /^nvme-/];

async function readStablePaths(): Promise<Map<string, string>> {
  const directory = "/dev/disk/by-id";
  const names = await readdir(directory).catch(() => []);
  const rank = (name: string) => {
    const found = preference.findIndex((pattern) => pattern.test(name));
    return found < 0 ? preference.length : found;
  };
  const paths = new Map<string, string>();
  for (const name of names.sort((a, b) => rank(b) - rank(a) || (a < b ? 1 : -1))) {
    paths.set(await realpath(`${directory}/${name}`), `${directory}/${name}`);
  }
  return paths;
}

async function readSystemUuid(): Promise<string | undefined> {
  const value = await readFile("/sys/class/dmi/id/product_uuid", "utf8").catch(() => "");
  return z.uuid().safeParse(value.trim().toLowerCase()).data;
}
