import { Failure } from "../common/failure.ts";
import { formatSize } from "../common/units.ts";
import type { Disk, Hardware } from "./hardware.ts";
import type { DiskMatch, Job } from "./job.ts";

/** Why a disk is not taken, for `metalcast disks` and for refusals. */
export interface DiskVerdict {
  disk: Disk;
  /** undefined: the job takes it, or would. */
  reason: string | undefined;
  obstacle: "no-match" | "too-small" | "read-only" | "held" | "running-system" | undefined;
}

/** What the job makes of every disk of the machine. */
export function judgeDisks(job: Job, hardware: Hardware, minimumBytes: number): DiskVerdict[] {
  return hardware.disks.map((disk) => ({ disk, ...judge(disk, job.disks.match, minimumBytes) }));
}

/**
 * The disks that the job is to have: exactly `disks.count` of them, by stable path in order.
 * @throws Failure `disk-holds-running-system`, `disk-held` (refused); `disk-too-small`, `disks-too-few`,
 *   `disks-ambiguous`, `disk-read-only` (configuration)
 */
export function selectDisks(job: Job, hardware: Hardware, minimumBytes: number): Disk[] {
  const verdicts = judgeDisks(job, hardware, minimumBytes);
  const usable = verdicts.filter(({ obstacle }) => obstacle === undefined).map(({ disk }) => disk);
  if (usable.length < job.disks.count) throw tooFew(job.disks.count, usable.length, verdicts);
  if (usable.length > job.disks.count) {
    throw new Failure({
      code: "disks-ambiguous",
      kind: "configuration",
      message: `choosing ${job.disks.count} disk(s): ${usable.length} match: ${usable.map(label).join(", ")}`,
      hint: "narrow disks.match, for example by serial, or raise disks.count",
    });
  }
  return usable;
}

function judge(disk: Disk, match: DiskMatch, minimumBytes: number): Omit<DiskVerdict, "disk"> {
  const mismatch = findMismatch(disk, match);
  if (mismatch) return { obstacle: "no-match", reason: mismatch };
  if (disk.holdsRunningSystem) {
    return { obstacle: "running-system", reason: `the running system lives on it: ${disk.heldBy.join(", ")}` };
  }
  const [holder] = disk.heldBy;
  if (holder !== undefined) return { obstacle: "held", reason: disk.heldBy.join(", ") };
  if (disk.readOnly) return { obstacle: "read-only", reason: "it is read-only" };
  if (disk.sizeBytes < minimumBytes) {
    return {
      obstacle: "too-small",
      reason: `${formatSize(disk.sizeBytes)}, and ${formatSize(minimumBytes)} are needed`,
    };
  }
  return { obstacle: undefined, reason: undefined };
}

function findMismatch(disk: Disk, match: DiskMatch): string | undefined {
  const { size, rotational } = match;
  if (size) {
    const holds = {
      ">=": disk.sizeBytes >= size.bytes,
      "<=": disk.sizeBytes <= size.bytes,
      "=": disk.sizeBytes === size.bytes,
    };
    if (!holds[size.operator])
      return `size ${formatSize(disk.sizeBytes)} is not ${size.operator} ${formatSize(size.bytes)}`;
  }
  if (rotational !== undefined && rotational !== disk.rotational) return `rotational is ${disk.rotational}`;
  for (const field of ["model", "vendor", "serial", "wwn", "name", "transport"] as const) {
    const wanted = match[field];
    if (wanted !== undefined && ![wanted].flat().includes(disk[field])) return `${field} is "${disk[field]}"`;
  }
  return undefined;
}

function tooFew(wanted: number, found: number, verdicts: DiskVerdict[]): Failure {
  const rejected = verdicts.filter(({ obstacle }) => obstacle !== undefined);
  const list = rejected.map(({ disk, reason }) => `${label(disk)}: ${reason}`).join("; ") || "there are no other disks";
  const refusals = [
    {
      obstacle: "running-system",
      code: "disk-holds-running-system",
      kind: "refused",
      hint: "name other disks in disks.match",
    },
    {
      obstacle: "held",
      code: "disk-held",
      kind: "refused",
      hint: "release the disk first (umount, swapoff, mdadm --stop, vgchange -an), or name other disks",
    },
    {
      obstacle: "too-small",
      code: "disk-too-small",
      kind: "configuration",
      hint: "use larger disks or a smaller image",
    },
    { obstacle: "read-only", code: "disk-read-only", kind: "configuration", hint: "lift the write protection" },
  ] as const;
  const refusal = refusals.find(({ obstacle }) => rejected.some((verdict) => verdict.obstacle === obstacle));
  return new Failure({
    code: refusal?.code ?? "disks-too-few",
    kind: refusal?.kind ?? "configuration",
    message: `choosing ${wanted} disk(s): ${found} can be used. ${list}`,
    hint: refusal?.hint ?? "`metalcast disks` lists what is there; lower disks.count or widen disks.match",
  });
}

function label({ name, serial, sizeBytes }: Disk): string {
  return `${name} (${serial || "no serial"}, ${formatSize(sizeBytes)})`;
}
