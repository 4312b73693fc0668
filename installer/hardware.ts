import { access, readFile } from "node:fs/promises";
import { release, totalmem } from "node:os";
import { z } from "zod";
import { checkRoot } from "../common/root.ts";
import { listBlockDevices, withDescendants } from "./block-device.ts";
import { findPoolMounts, readPools } from "./btrfs-pools.ts";
import { describeDisk, tryToClaim } from "./describe-disk.ts";
import { readDiskLinks } from "./disk-links.ts";
import { inspectRunningSystem } from "./inspect-running-system.ts";
import { listNetworkInterfaces, type NetworkInterface } from "./network-interfaces.ts";
import { type MkfsFeatures, readMkfsFeatures } from "./storage/mkfs-features.ts";
import { inspectStack, type StackedDevice } from "./wipe/stack.ts";

/** One whole disk, as the plan sees it. */
export interface Disk {
  /** Kernel name, which changes between boots: /dev/sda. For people only. */
  name: string;
  /**
   * The stable path that every command uses: /dev/disk/by-id/..., by-path for a disk without a serial number, and the
   * kernel name where udev gives it no other.
   */
  path: string;
  /** All its names in /dev/disk/by-id and by-path, the best first. */
  links: readonly string[];
  sizeBytes: number;
  logicalSectorBytes: number;
  model: string;
  vendor: string;
  serial: string;
  /** With the vendor's extension, where it has one. */
  wwn: string;
  /** SCSI address, host:channel:target:lun. */
  hctl: string;
  transport: string;
  rotational: boolean;
  readOnly: boolean;
  /** The GUID of its partition table; empty: it has none. */
  tableUuid: string;
  /** What the partition table shows now, as kernel names. */
  partitions: string[];
  /** What uses the disk right now, in words: "/dev/sda2 is mounted on /". Empty: free. */
  heldBy: string[];
  /** Something holds it, and nothing shows what: nobody could take that apart. */
  heldOutOfSight: boolean;
  /** The running (rescue) system lies on it, be it below an overlay, a live system's squashfs, md, LVM or LUKS. */
  holdsRunningSystem: boolean;
  /** Why it cannot be used at all: "it cannot be opened (EIO)". */
  fault: string | undefined;
  /** What on it has the label of a config drive, as kernel names: cloud-init could take it for ours. */
  configDriveLabels: string[];
}

export interface Hardware {
  firmware: "uefi" | "bios";
  /** SMBIOS system UUID, where the machine has one. */
  systemUuid: string | undefined;
  memoryBytes: number;
  /** Of the running kernel, as uname(1) has it. */
  kernelRelease: string;
  /** `console=` arguments of the running kernel, to be carried over to the target. */
  consoles: string[];
  disks: Disk[];
  interfaces: NetworkInterface[];
  mkfsFeatures: MkfsFeatures;
  /** What is on the disks and what lies on what. */
  stack: StackedDevice[];
}

/**
 * Looks at the running machine and changes nothing. @throws Failure `not-root` (configuration): what holds a disk shows
 * to root alone
 */
export async function discoverHardware(signal?: AbortSignal): Promise<Hardware> {
  return {
    firmware: await access("/sys/firmware/efi").then(
      () => "uefi" as const,
      () => "bios" as const,
    ),
    systemUuid: await readSystemUuid(),
    memoryBytes: totalmem(),
    kernelRelease: release(),
    consoles: (await readFile("/proc/cmdline", "utf8")).split(/\s+/).filter((word) => /^console=tty/.test(word)),
    disks: await discoverDisks(signal),
    interfaces: await listNetworkInterfaces(signal),
    mkfsFeatures: await readMkfsFeatures(signal),
    stack: await inspectStack(signal),
  };
}

/** The disks alone, in the order of their stable names. @throws Failure `not-root` (configuration) */
export async function discoverDisks(signal?: AbortSignal): Promise<Disk[]> {
  checkRoot("looking at the disks");
  const trees = await listBlockDevices(signal);
  const devices = trees.flatMap(withDescendants);
  const pools = await readPools();
  const surroundings = {
    links: await readDiskLinks(),
    runningSystem: await inspectRunningSystem(devices, pools, signal),
    poolMounts: findPoolMounts(pools, devices),
  };
  // A card reader without a card is a disk of 0 bytes.
  const wholeDisks = trees.filter(({ type, sizeBytes }) => type === "disk" && sizeBytes > 0);
  const disks = await Promise.all(
    wholeDisks.map(async (device) => describeDisk(device, await tryToClaim(device.path), surroundings)),
  );
  return disks.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function readSystemUuid(): Promise<string | undefined> {
  const value = await readFile("/sys/class/dmi/id/product_uuid", "utf8").catch(() => "");
  return z.uuid().safeParse(value.trim().toLowerCase()).data;
}
