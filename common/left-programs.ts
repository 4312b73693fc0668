import { readdir, readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "./failure.ts";
import { starterVariable } from "./starter-variable.ts";

interface Program {
  id: number;
  /** The kernel's name of it, 15 characters at most. */
  name: string;
  parent: number;
  /** Of the process that started it, or that started what started it. */
  starter: number | undefined;
}

/** For a program to come to its end by itself: LVM is in the middle of its metadata. */
const graceMs = 5_000;
/** For the kernel to end it. */
const limitMs = 30_000;
const pauseMs = 100;

/**
 * A process that is killed leaves the programs that it has just started running: they would go on writing to disks that
 * others have taken over since. This ends those of every Metalcast that is no more, and waits until they are gone.
 * Those of one that runs stay.
 * @throws Failure `programs-left` (refused) for those that do not end, such as one that waits for a broken disk
 */
export async function endLeftPrograms(doing: string, signal?: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  for (let elapsedMs = 0; ; elapsedMs = performance.now() - startedAt) {
    const left = findLeft(await listPrograms());
    if (left.length === 0) return;
    if (elapsedMs > limitMs) throw stillThere(left, doing);
    for (const { id } of left) end(id, elapsedMs > graceMs ? "SIGKILL" : "SIGTERM");
    await delay(pauseMs, undefined, { signal });
  }
}

/** A process whose starter is none of its ancestors any more has been left by it. */
export function findLeft(programs: readonly Program[]): Program[] {
  const parents = new Map(programs.map(({ id, parent }) => [id, parent]));
  return programs.filter(({ id, starter }) => starter !== undefined && !ancestorsOf(id, parents).includes(starter));
}

function ancestorsOf(id: number, parents: ReadonlyMap<number, number>): number[] {
  const ancestors: number[] = [];
  for (let next = parents.get(id); next !== undefined && !ancestors.includes(next); next = parents.get(next)) {
    ancestors.push(next);
  }
  return ancestors;
}

async function listPrograms(): Promise<Program[]> {
  const entries = (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry));
  const programs = await Promise.all(entries.map(readProgram));
  return programs.filter((program) => program !== undefined);
}

/** proc_pid_stat(5): the name in parentheses may hold any character, also parentheses. One that has ended has neither. */
async function readProgram(entry: string): Promise<Program | undefined> {
  const stat = await readFile(`/proc/${entry}/stat`, "utf8").catch(() => "");
  const [, name = "", parent] = /^\d+ \((.*)\) \S (\d+)/s.exec(stat) ?? [];
  if (parent === undefined) return undefined;
  const environment = (await readFile(`/proc/${entry}/environ`, "utf8").catch(() => "")).split("\0");
  const starter = environment.find((setting) => setting.startsWith(`${starterVariable}=`));
  return {
    id: Number(entry),
    name,
    parent: Number(parent),
    starter: starter === undefined ? undefined : Number(starter.slice(starterVariable.length + 1)),
  };
}

function end(id: number, how: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(id, how);
  } catch (error) {
    // It has ended in the meantime.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

function stillThere(left: readonly Program[], doing: string): Failure {
  return new Failure({
    code: "programs-left",
    kind: "refused",
    message: `${doing}: programs that an earlier run left do not end: ${left.map(({ id, name }) => `${name} (${id})`).join(", ")}`,
    hint: "see what they wait for with `ps -o pid,stat,wchan,args`; restart the rescue system",
    data: { programs: left.map(({ id }) => id) },
  });
}
