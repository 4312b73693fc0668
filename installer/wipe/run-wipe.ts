import { realpath } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Advance } from "../../common/event.ts";
import type { Failure } from "../../common/failure.ts";
import type { Step } from "../step.ts";
import type { WipeAction } from "./action.ts";
import { perform } from "./perform.ts";
import { heldBy } from "./plan-wipe.ts";
import { assertClean, findRemains } from "./prove-clean.ts";
import { type NamedDisk, stablePath } from "./relations.ts";
import { readSignatures } from "./signatures.ts";
import { inspectStack } from "./stack.ts";
import { takeApart } from "./take-apart.ts";
import { wipeDisk } from "./wipe-disk.ts";

interface WipeOptions {
  signal: AbortSignal;
  advance: Advance;
}

/** A round that did not suffice left something busy for a moment: an event of udev, a cache that is written back. */
const rounds = 8;
const pauseMs = 500;

/**
 * Releases disks from the top of the stack down, looking anew before every round. Within `withoutAutoAssembly`.
 * @throws Failure `disk-held` (refused) for what can't be released, `disk-holds-running-system` (refused)
 */
export async function runTakeApart(
  { title, disks }: Pick<Extract<Step, { kind: "take-apart" }>, "title" | "disks">,
  options: WipeOptions,
): Promise<void> {
  const named = await Promise.all(disks.map(nameDisk));
  let failure: Failure | undefined;
  for (let round = 0; round < rounds; round += 1) {
    if (round > 0) await delay(pauseMs, undefined, { signal: options.signal });
    const actions = takeApart(await inspectStack(options.signal), named);
    if (actions.length === 0) return;
    failure = await perform([...actions, settle], { ...options, doing: title });
  }
  const stack = await inspectStack(options.signal);
  if (takeApart(stack, named).length === 0) return;
  throw heldBy(stack, named, failure);
}

/**
 * Makes a free disk blank and proves it: partitions' content, then the table, then what the job's depth asks for. Within
 * `withoutAutoAssembly`.
 * @throws Failure `disk-held` (refused), `disk-not-clean` (failed), `wipe-depth-unsupported` (configuration)
 */
export async function runWipe(
  { title, disk: path, wipe }: Pick<Extract<Step, { kind: "wipe" }>, "title" | "disk" | "wipe">,
  options: WipeOptions,
): Promise<void> {
  const disk = await nameDisk(path);
  const performOptions = { ...options, doing: title };
  const stack = await inspectStack(options.signal);
  if (takeApart(stack, [disk]).length > 0) throw heldBy(stack, [disk]);
  const { partitions, disk: table, depth } = wipeDisk(stack, disk, wipe);

  const paths = stack
    .filter(({ kind, on }) => kind === "partition" && on.includes(disk.name))
    .map((partition) => stablePath(partition, [disk]));
  await repeat(disk, partitions, performOptions, () => findSignatures(paths, options.signal));
  await repeat(disk, table, performOptions, () => findRemains(disk, options.signal));
  if (depth.length === 0) return;
  const failure = await perform([...depth, settle], performOptions);
  if (failure) throw failure;
  assertClean(disk, await findRemains(disk, options.signal), undefined);
}

const settle: WipeAction = { kind: "run", command: ["udevadm", "settle"] };

async function repeat(
  disk: NamedDisk,
  actions: readonly WipeAction[],
  options: WipeOptions & { doing: string },
  find: () => Promise<string[]>,
): Promise<void> {
  let failure: Failure | undefined;
  let remains: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    if (round > 0) await delay(pauseMs, undefined, { signal: options.signal });
    failure = await perform(actions, options);
    remains = await find();
    if (remains.length === 0 && !failure) return;
  }
  assertClean(disk, remains, failure);
  // Nothing is found, and yet something could not be overwritten: a damaged superblock may be there still.
  if (failure) throw failure;
}

async function findSignatures(paths: readonly string[], signal: AbortSignal): Promise<string[]> {
  const found = await readSignatures(paths, signal);
  return [...found].flatMap(([path, signatures]) => signatures.map(({ type }) => `the signature ${type} on ${path}`));
}

async function nameDisk(path: string): Promise<NamedDisk> {
  return { name: await realpath(path), path };
}
