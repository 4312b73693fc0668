import { realpath, stat } from "node:fs/promises";
import { basename } from "node:path";
import { KernelLog } from "./kernel-log.ts";

/** What is wrong with a disk, in words: "it is gone", or what the kernel says of it. */
export interface DiskFault {
  /** Stable path. */
  disk: string;
  says: string;
}

/** A disk's name in the kernel's messages changes when it comes back: what counts is the one it had at the beginning. */
interface WatchedDisk {
  path: string;
  kernelName: string;
}

/** Words of the kernel's block layer, SCSI, NVMe and md for what went wrong with a device; no mount options. */
const faultWords = /error(?!s=)|fail|offline|timed? ?out|not ready|reset/i;

/** A drive that does not know how to write zeros or to discard is asked once, and does without. */
const notAFault = /operation not supported error/;

/** Keeps an eye on disks, so that a failure can be told together with its cause. */
export class DiskWatch implements AsyncDisposable {
  readonly #disks: readonly WatchedDisk[];
  readonly #log: KernelLog;

  private constructor(disks: readonly WatchedDisk[], log: KernelLog) {
    this.#disks = disks;
    this.#log = log;
  }

  /** @param paths stable ones */
  static async start(paths: readonly string[]): Promise<DiskWatch> {
    const named = paths.map(async (path) => ({ path, kernelName: basename(await realpath(path).catch(() => path)) }));
    return new DiskWatch(await Promise.all(named), await KernelLog.open());
  }

  /** @returns of each disk that is gone or that the kernel complains of, the first complaint */
  async findFaults(): Promise<DiskFault[]> {
    const log = await this.#log.read();
    const found = await Promise.all(this.#disks.map((disk) => describeFault(disk, log)));
    return found.filter((fault) => fault !== undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#log[Symbol.asyncDispose]();
  }
}

async function describeFault(
  { path, kernelName }: WatchedDisk,
  log: readonly string[],
): Promise<DiskFault | undefined> {
  const complaint = findComplaint(kernelName, log);
  const kernelSays = complaint === undefined ? "" : `the kernel says "${complaint}"`;
  const isThere = await stat(path).then(
    (found) => found.isBlockDevice(),
    () => false,
  );
  if (!isThere) return { disk: path, says: `it is gone${kernelSays && `, ${kernelSays}`}` };
  return kernelSays === "" ? undefined : { disk: path, says: kernelSays };
}

/** The first message of a fault that names the disk or a partition of it. Messages of I/O errors come before all others. */
export function findComplaint(kernelName: string, log: readonly string[]): string | undefined {
  // Partitions of a disk whose name ends with a digit have a p in front of their number.
  const name = new RegExp(`(?<![\\w-])${kernelName}(?:${/\d$/.test(kernelName) ? "p" : ""}\\d+)?(?!\\w)`);
  const complaints = log.filter((line) => name.test(line) && faultWords.test(line) && !notAFault.test(line));
  return (complaints.find((line) => /\b(?:I\/O )?error, dev /.test(line)) ?? complaints[0])?.trim();
}
