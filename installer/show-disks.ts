import type { Session } from "../common/command-line.ts";
import { Failure } from "../common/failure.ts";
import { chooseDisks } from "./choose-disks.ts";
import { formatDisks, formatVerdicts } from "./disk-tables.ts";
import { discoverHardware, type Hardware } from "./hardware.ts";
import { type Job, loadJob } from "./job.ts";
import { type DiskVerdict, judgeDisks } from "./judge-disks.ts";
import { resolveJobImage } from "./resolve-job-image.ts";
import type { DiskGroup } from "./select-disks.ts";
import { smallestDiskBytes } from "./storage/smallest-disk.ts";

/** What a job makes of the machine's disks. */
export interface WeighedDisks {
  verdicts: DiskVerdict[];
  /** Where the job cannot have what it wants: why. */
  outcome: { groups: readonly DiskGroup[] } | { failure: Failure };
}

/**
 * `metalcast disks [job]`: what is there and what holds it; with a job, which disks it takes and why not the others.
 * @throws Failure of `selectDisks`, once the table is out, where the job cannot have its disks
 */
export async function showDisks({ print, signal }: Session, jobFile: string): Promise<void> {
  const hardware = await discoverHardware(signal);
  if (jobFile === "") return print(hardware.disks, formatDisks(hardware.disks));
  const job = await loadJob(jobFile);
  const { verdicts, outcome } = weighDisks(job, hardware, await findMinimumBytes(job, signal));
  const groups = "groups" in outcome ? outcome.groups : undefined;
  const taken = groups?.map(({ name, disks }) => ({ name, disks: disks.map(({ path }) => path) }));
  print({ disks: verdicts, taken }, formatVerdicts(verdicts, groups));
  if ("failure" in outcome) throw outcome.failure;
}

/** Pure: what the job makes of every disk, and what it takes in the end. */
export function weighDisks(job: Job, hardware: Hardware, minimumBytes: number): WeighedDisks {
  try {
    const { groups, wipe } = chooseDisks(job, hardware, minimumBytes);
    return { verdicts: judgeDisks({ ...job, wipe }, hardware, minimumBytes), outcome: { groups } };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { verdicts: judgeDisks(job, hardware, minimumBytes), outcome: { failure: error } };
  }
}

/** An image of the user's own shows what room it needs only when it is opened, which takes minutes: the plan checks it. */
async function findMinimumBytes(job: Job, signal: AbortSignal): Promise<number> {
  if (typeof job.image !== "string") return smallestDiskBytes(job, 0);
  const { facts } = await resolveJobImage(job, { signal });
  return smallestDiskBytes(job, facts.minimumDiskBytes);
}
