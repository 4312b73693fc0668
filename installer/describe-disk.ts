import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { type BlockDevice, withDescendants } from "./block-device.ts";
import type { Disk } from "./hardware.ts";
import type { RunningSystem } from "./running-system.ts";

/** What comes of opening a disk for oneself alone. */
export type Claim = "free" | "held" | { fault: string };

/** What else is known of the machine that bears on its disks. */
export interface Surroundings {
  /** A disk's names in /dev/disk by its kernel name, the best first. */
  links: ReadonlyMap<string, readonly string[]>;
  runningSystem: RunningSystem;
  /** Where the btrfs is mounted that a device is a further part of, by the device's number. */
  poolMounts: ReadonlyMap<string, string>;
}

/** What the plan needs to know of a disk. */
export function describeDisk(device: BlockDevice, claim: Claim, surroundings: Surroundings): Disk {
  const { links, runningSystem, poolMounts } = surroundings;
  const layers = withDescendants(device);
  const names = links.get(device.path) ?? [];
  const visible = layers.flatMap((layer) => describeHolders(layer, layer === device, poolMounts));
  const heldOutOfSight = claim === "held" && visible.length === 0;
  const isBeneathSystem = layers.some(({ number }) => runningSystem.deviceNumbers.has(number));
  return {
    name: device.path,
    path: names[0] ?? device.path,
    links: names,
    sizeBytes: device.sizeBytes,
    logicalSectorBytes: device.logicalSectorBytes,
    model: device.model,
    vendor: device.vendor,
    serial: device.serial,
    wwn: device.wwn,
    hctl: device.hctl,
    transport: device.transport,
    rotational: device.rotational,
    readOnly: device.readOnly,
    tableUuid: device.tableUuid,
    partitions: device.children.filter(({ type }) => type === "part").map(({ path }) => path),
    heldBy: heldOutOfSight ? ["something that does not show here (mounted elsewhere, or below an overlay)"] : visible,
    heldOutOfSight,
    holdsRunningSystem: isBeneathSystem || (heldOutOfSight && !runningSystem.isComplete),
    fault: typeof claim === "object" ? claim.fault : undefined,
    configDriveLabels: layers.filter(({ label }) => /^config-2$/i.test(label)).map(({ path }) => path),
  };
}

function describeHolders(
  { path, type, number, mountPoints }: BlockDevice,
  isDisk: boolean,
  poolMounts: Surroundings["poolMounts"],
): string[] {
  const poolMount = poolMounts.get(number);
  return [
    ...(isDisk || type === "part" ? [] : [`${path} (${type}) is active on it`]),
    ...mountPoints.map((point) => (point === "[SWAP]" ? `${path} is used as swap` : `${path} is mounted on ${point}`)),
    ...(poolMount === undefined ? [] : [`${path} is part of the btrfs mounted on ${poolMount}`]),
  ];
}

/**
 * An exclusive open is refused while anything in the kernel holds the disk or a partition of it: open(2), O_EXCL on
 * block devices. A disk that cannot be opened at all is broken, which must not keep the others from being listed.
 */
export async function tryToClaim(path: string): Promise<Claim> {
  try {
    await (await open(path, constants.O_RDONLY | constants.O_EXCL)).close();
    return "free";
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    return code === "EBUSY" ? "held" : { fault: `it cannot be opened (${code})` };
  }
}
