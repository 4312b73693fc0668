import { readdir, readFile, readlink } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "./failure.ts";
import { starterVariable, startTicks } from "./starter.ts";

interface Program {
  id: number;
  /** The kernel's name of it, 15 characters at most. */
  name: string;
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
    const left = await listLeft();
    if (left.length === 0) return;
    if (elapsedMs > limitMs) throw stillThere(left, doing);
    for (const { id } of left) end(id, elapsedMs > graceMs ? "SIGKILL" : "SIGTERM");
    await delay(pauseMs, undefined, { signal });
  }
}

async function listLeft(): Promise<Program[]> {
  // Process numbers mean nothing in another namespace: a container's Metalcast ends its own.
  const namespace = await readlink("/proc/self/ns/pid");
  // Who asks may have been started by one that is no more.
  const entries = (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid);
  const found = await Promise.all(entries.map((entry) => findLeft(entry, namespace)));
  return found.filter((program) => program !== undefined);
}

/** What has ended in the meantime, and what the kernel runs, has no environment. */
async function findLeft(entry: string, namespace: string): Promise<Program | undefined> {
  const environment = (await readText(`/proc/${entry}/environ`)).split("\0");
  const starter = environment.find((setting) => setting.startsWith(`${starterVariable}=`));
  if (starter === undefined || (await readlink(`/proc/${entry}/ns/pid`).catch(() => "")) !== namespace)
    return undefined;
  const [id = "", ticks] = starter.slice(starterVariable.length + 1).split(":");
  if (startTicks(await readText(`/proc/${id}/stat`)) === ticks) return undefined;
  return { id: Number(entry), name: (await readText(`/proc/${entry}/comm`)).trim() };
}

function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
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
