import { asFailure, Failure } from "../common/failure.ts";
import type { DiskFault, DiskWatch } from "./disk-faults.ts";
import { describeFullPlaces } from "./full-places.ts";

interface Surroundings {
  /** For the message of what is no Failure yet. */
  doing: string;
  watch: Pick<DiskWatch, "findFaults">;
  target: string;
}

/**
 * A step's failure, with what caused it: programs tell of a disk that fails by "Input/output error" or "Read-only file
 * system", if at all, and none of them says which disk it was.
 * @returns Failure `disk-failed` (failed), `no-space-left` (configuration), or the error's own
 */
export async function explainFailure(error: unknown, { doing, watch, target }: Surroundings): Promise<Failure> {
  const failure = asFailure(error, doing);
  if (failure.kind !== "failed") return failure;
  const faults = await watch.findFaults();
  if (faults.length > 0) return diskFailed(failure, faults);
  return isFull(failure) ? noSpaceLeft(failure, await describeFullPlaces(target)) : failure;
}

/** An array names the member that it has lost; the code says that it was an array. */
function diskFailed(failure: Failure, faults: readonly DiskFault[]): Failure {
  const disks = faults.map(({ disk }) => disk).join(" ");
  const told = faults.map(({ disk, says }) => `${disk}: ${says}`).join("; ");
  return new Failure({
    code: failure.code === "array-degraded" ? failure.code : "disk-failed",
    kind: "failed",
    message: `${told}; ${failure.message}`,
    hint: `look at \`dmesg\` and \`smartctl --all ${disks}\`, check cables and backplane; replace the disk, or have the job take another one, and run it again`,
    data: { ...failure.data, faults },
    cause: failure,
  });
}

function isFull({ message, cause }: Failure): boolean {
  return (
    /No space left on device|Disk quota exceeded/.test(message) ||
    (cause instanceof Error && "code" in cause && (cause.code === "ENOSPC" || cause.code === "EDQUOT"))
  );
}

function noSpaceLeft(failure: Failure, places: string): Failure {
  return new Failure({
    code: "no-space-left",
    kind: "configuration",
    message: `${places}: ${failure.message}`,
    hint: "give it more room in the job's storage, or take larger disks; the image needs more than its manifest says",
    data: failure.data,
    cause: failure,
  });
}
