import { readFile, realpath } from "node:fs/promises";
import { basename } from "node:path";
import { Failure } from "../../common/failure.ts";
import type { Step } from "../step.ts";
import type { ArrayLayout } from "./array.ts";

/** An array of the plan and what it is to consist of, spares included. */
export type PlannedArray = Pick<ArrayLayout, "path" | "members">;

/** The name of an array in use may be that of one which is yet to be made: what it lacks is nobody's concern. */
export function arraysMadeBy(begun: readonly Step[], arrays: readonly PlannedArray[]): PlannedArray[] {
  const commands = begun.flatMap((step) => (step.kind === "commands" ? step.commands : []));
  return arrays.filter(({ path }) => commands.some(([, action, device]) => action === "--create" && device === path));
}

/**
 * Arrays that are assembled have all their members. md goes on without one that fails, and an installation that nobody
 * looks at would end well on a server that has lost a disk.
 * @throws Failure `array-degraded` (failed)
 */
export async function checkArrays(arrays: readonly PlannedArray[]): Promise<void> {
  for (const { path, members } of arrays) {
    const array = await realpath(path).catch(() => undefined);
    if (array === undefined) continue;
    const lost = await Promise.all(members.map(async (member) => ({ member, why: await findLoss(array, member) })));
    const found = lost.filter(({ why }) => why !== undefined);
    if (found.length > 0) throw degraded(path, found.map(({ member, why }) => `${member} (${why})`).join(", "));
  }
}

/**
 * Documentation/admin-guide/md.rst: `state` of a member is a list of in_sync, faulty, spare and others. A disk that was
 * pulled stays in_sync until something is written to it.
 */
async function findLoss(array: string, member: string): Promise<string | undefined> {
  const device = await realpath(member).catch(() => undefined);
  if (device === undefined) return "it is gone";
  const directory = `/sys/class/block/${basename(array)}/md`;
  const read = (name: string) => readFile(`${directory}/${name}`, "utf8").catch(() => undefined);
  const state = await read(`dev-${basename(device)}/state`);
  // Looked at afterwards: an array that is stopped meanwhile has lost nothing.
  if (state === undefined) return (await read("array_state").then(isStopped)) ? undefined : "it is no member any more";
  const words = state.trim().split(",");
  if (words.includes("faulty")) return "it failed";
  return words.includes("in_sync") || words.includes("spare") ? undefined : `it is ${state.trim()}`;
}

/** What stopping leaves, until its last user has closed it. */
function isStopped(arrayState: string | undefined): boolean {
  return arrayState === undefined || ["clear", "inactive"].includes(arrayState.trim());
}

function degraded(path: string, lost: string): Failure {
  return new Failure({
    code: "array-degraded",
    kind: "failed",
    message: `the array ${path} has lost ${lost}`,
    hint: "look at `dmesg` and `smartctl --all DISK`; replace the disk, or take another one, and run it again",
  });
}
