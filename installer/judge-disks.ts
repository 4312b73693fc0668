import { formatSize } from "../common/units.ts";
import { findMismatch } from "./disk-match.ts";
import { type DiskRequest, orderGroups, systemGroup } from "./disk-request.ts";
import type { Disk, Hardware } from "./hardware.ts";
import type { Job } from "./job.ts";

export type Obstacle =
  | "no-match"
  | "running-system"
  | "faulty"
  | "duplicate"
  | "held"
  | "read-only"
  | "unnamed"
  | "too-small";

/** Why a disk cannot be taken. */
export interface Objection {
  obstacle: Obstacle;
  reason: string;
}

/** What the job makes of a disk, for `metalcast disks` and for refusals. */
export interface DiskVerdict {
  disk: Disk;
  /** The groups of the job that could have it; none: see the objection. */
  groups: readonly string[];
  objection: Objection | undefined;
}

export type DisksOfJob = Pick<Job, "disks" | "wipe">;

/** What the job makes of every disk of the machine. `minimumBytes` is for disks of the system group. */
export function judgeDisks(job: DisksOfJob, hardware: Hardware, minimumBytes: number): DiskVerdict[] {
  const groups = orderGroups(job.disks);
  return hardware.disks.map((disk) => {
    const objections = groups.map(([name, request]) => ({
      name,
      objection: findObjection(disk, { name, request }, job, hardware, minimumBytes),
    }));
    const open = objections.filter(({ objection }) => objection === undefined).map(({ name }) => name);
    return { disk, groups: open, objection: open.length > 0 ? undefined : mergeObjections(objections) };
  });
}

/** What the disk itself is or carries says more than which hint of which group it does not fulfil. */
function mergeObjections(judged: readonly { name: string; objection: Objection | undefined }[]): Objection | undefined {
  const given = judged.flatMap(({ name, objection }) => (objection ? [{ name, ...objection }] : []));
  const [own] = given.filter(({ obstacle }) => obstacle !== "no-match");
  if (own) return { obstacle: own.obstacle, reason: own.reason };
  const reasons = given.map(({ name, reason }) => (given.length > 1 ? `${name}: ${reason}` : reason));
  return { obstacle: "no-match", reason: reasons.join("; ") };
}

/** @returns why this group of the job does not take the disk, or undefined where it could */
export function findObjection(
  disk: Disk,
  group: { name: string; request: DiskRequest },
  job: DisksOfJob,
  hardware: Hardware,
  minimumBytes: number,
): Objection | undefined {
  const mismatch = findMismatch(group.request.match, disk);
  if (mismatch) return { obstacle: "no-match", reason: mismatch };
  if (disk.holdsRunningSystem) {
    const holders = disk.heldBy.length > 0 ? `: ${disk.heldBy.join(", ")}` : "";
    return { obstacle: "running-system", reason: `the running system lives on it${holders}` };
  }
  if (disk.fault !== undefined) return { obstacle: "faulty", reason: disk.fault };
  const twin = hardware.disks.find((other) => other !== disk && isTwin(other, disk));
  if (twin) {
    const shared = twin.path === disk.path ? "its stable name" : `its serial number, ${disk.serial},`;
    return {
      obstacle: "duplicate",
      reason: `it is there twice: ${twin.name} has ${shared} too, as a disk that is reached over several paths`,
    };
  }
  const canBeTakenApart = job.wipe.held === "take-apart" && !disk.heldOutOfSight;
  if (disk.heldBy.length > 0 && !canBeTakenApart) return { obstacle: "held", reason: disk.heldBy.join(", ") };
  if (disk.readOnly) return { obstacle: "read-only", reason: "it is read-only" };
  if (!disk.path.startsWith("/dev/disk/")) {
    return {
      obstacle: "unnamed",
      reason: "it has no name in /dev/disk/by-id or by-path that the next boot would know",
    };
  }
  if (group.name === systemGroup && disk.sizeBytes < minimumBytes) {
    return {
      obstacle: "too-small",
      reason: `${formatSize(disk.sizeBytes)}, and ${formatSize(minimumBytes)} are needed`,
    };
  }
  return undefined;
}

/** Namespaces of one NVMe drive share its serial number and differ by their WWN. */
function isTwin(one: Disk, other: Disk): boolean {
  if (one.path === other.path) return true;
  const differs = one.wwn !== "" && other.wwn !== "" && one.wwn !== other.wwn;
  return one.serial !== "" && one.serial === other.serial && !differs;
}
