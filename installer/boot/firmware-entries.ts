import { readdir } from "node:fs/promises";
import { Failure } from "../../common/failure.ts";
import { type RunOptions, run } from "../../common/run.ts";
import type { FirmwareEntry, Step } from "../step.ts";
import { type BootEntries, parseBootEntries, partitionOfEntry } from "./boot-entries.ts";
import { findStaleEntries, orderEntries } from "./boot-order.ts";

/** efivarfs is what kernels since 6.0 want; the old interface may fail there. */
function efibootmgr(args: readonly string[], options: RunOptions) {
  return run("efibootmgr", args, { ...options, env: { LIBEFIVAR_OPS: "efivarfs", ...options.env } });
}

/**
 * One boot entry for each ESP, and the order of the job. Stale entries go last: whenever this is cut off, a second run
 * still sees whether the network was first.
 * @throws Failure `command-failed` (failed); `firmware-refuses-entries` (failed) where entries do not stay
 */
export async function writeFirmwareEntries(
  { entries: wanted, bootOrder }: Extract<Step, { kind: "firmware-entries" }>,
  options: RunOptions,
): Promise<void> {
  const change = (...args: string[]) => efibootmgr(["--quiet", ...args], options);
  const before = await listEntries(options);
  for (const entry of wanted) await change(...createArguments(entry));
  const ours = findNew(before, await listEntries(options), wanted, options.doing);
  const stale = findStaleEntries(before, wanted, await listPartitions(), bootOrder);
  const order = orderEntries(before, ours, bootOrder).filter((number) => !stale.includes(number));
  await change("--bootorder", order.join(","));
  for (const number of stale) {
    await change("--bootnum", number, "--delete-bootnum");
  }
}

/** efibootmgr(8): an entry that is in no order yet. */
export function createArguments({ label, disk, partition, loader }: FirmwareEntry): string[] {
  return ["--create-only", "--disk", disk, "--part", String(partition), "--loader", loader, "--label", label];
}

/** There are paths that it cannot print, and then it fails: the labels alone are better than nothing. */
async function listEntries(options: RunOptions): Promise<BootEntries> {
  try {
    return parseBootEntries((await efibootmgr(["--verbose"], options)).stdout);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "command-failed") throw error;
    return parseBootEntries((await efibootmgr([], options)).stdout);
  }
}

/** The numbers of the entries just made, in the order of the disks. */
function findNew(before: BootEntries, after: BootEntries, wanted: readonly FirmwareEntry[], doing: string): string[] {
  const old = new Set(before.entries.map(({ number }) => number));
  return wanted.map(({ label, partitionUuid }) => {
    const made = after.entries.find(
      (entry) =>
        !old.has(entry.number) &&
        entry.label === label &&
        (partitionOfEntry(entry) ?? partitionUuid) === partitionUuid.toLowerCase(),
    );
    if (made) return made.number;
    throw new Failure({
      code: "firmware-refuses-entries",
      kind: "failed",
      message: `${doing}: the firmware does not keep the entry ${label}`,
      hint: "its memory for boot entries may be full or locked: remove entries that nobody needs in its setup",
    });
  });
}

/** udev's names are in lower case. */
async function listPartitions(): Promise<Set<string>> {
  return new Set(await readdir("/dev/disk/by-partuuid").catch(() => []));
}
