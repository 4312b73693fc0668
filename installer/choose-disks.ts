import { createHash } from "node:crypto";
import { Failure } from "../common/failure.ts";
import type { Disk, Hardware } from "./hardware.ts";
import { deriveUuid } from "./identity.ts";
import type { Job } from "./job.ts";
import { type DiskGroup, selectDisks } from "./select-disks.ts";
import { tableUuid } from "./storage/partition.ts";
import { targetDirectory } from "./target-directory.ts";
import { devicesOn } from "./wipe/relations.ts";
import type { Wipe } from "./wipe/settings.ts";

export interface ChosenDisks {
  groups: readonly DiskGroup[];
  instanceUuid: string;
  /** The job's, but that what this instance's own earlier installation holds is to be taken apart. */
  wipe: Wipe;
}

type ChoosingJob = Pick<Job, "disks" | "wipe" | "instance">;

/**
 * The disks of the job, and who the server on them is. Disks that are held by an earlier installation of the same
 * instance, be it whole or interrupted, count as free: udev assembles its arrays, and a killed installer leaves its
 * target mounted, so that no installation could be tried again otherwise.
 * @throws Failure of `selectDisks`
 */
export function chooseDisks(job: ChoosingJob, hardware: Hardware, minimumBytes: number): ChosenDisks {
  try {
    const groups = selectDisks(job, hardware, minimumBytes);
    return { groups, instanceUuid: identify(job, hardware, groups), wipe: job.wipe };
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "disk-held") throw error;
    const own = chooseOwn(job, hardware, minimumBytes);
    if (!own) throw error;
    return own;
  }
}

function chooseOwn(job: ChoosingJob, hardware: Hardware, minimumBytes: number): ChosenDisks | undefined {
  const wipe = { ...job.wipe, held: "take-apart" as const };
  const groups = attempt(() => selectDisks({ ...job, wipe }, hardware, minimumBytes));
  if (!groups) return undefined;
  const instanceUuid = identify(job, hardware, groups);
  const held = groups.flatMap(({ disks }) => disks).filter(({ heldBy }) => heldBy.length > 0);
  const isOwn = held.every((disk) => holdsInstance(disk, hardware, instanceUuid));
  return isOwn ? { groups, instanceUuid, wipe } : undefined;
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

/** Its table is the one that this instance gets, and of what lies on it nothing is in use but by the installer. */
function holdsInstance(disk: Disk, { stack }: Hardware, instanceUuid: string): boolean {
  const target = targetDirectory;
  const isTargets = (path: string) => path === target || path.startsWith(`${target}/`) || path.startsWith(`${target}-`);
  return (
    disk.tableUuid === tableUuid(disk, instanceUuid) &&
    devicesOn(stack, [disk.name]).every(({ mountPoints, swaps }) => swaps.length === 0 && mountPoints.every(isTargets))
  );
}

/** The same job on the same machine is the same instance. */
function identify({ instance }: ChoosingJob, { systemUuid }: Hardware, groups: readonly DiskGroup[]): string {
  if (instance.uuid !== undefined) return instance.uuid;
  const disks = groups
    .flatMap((group) => group.disks)
    .map(({ serial, path }) => serial || path)
    .join(" ");
  const namespace = systemUuid ?? createHash("sha256").update(disks).digest("hex").slice(0, 32);
  return deriveUuid(namespace, `instance on ${disks}`);
}
