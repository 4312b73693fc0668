import { mkdtemp, readFile, rmdir, writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { parseMountTable } from "../../common/mount-table.ts";

/** More than a compression has threads on a large machine, and few enough for the rescue system to go on. */
const mostProcesses = 1024;

const removalPauseMs = 20;
const removalLimitMs = 5_000;

/**
 * A control group that holds a limited number of processes, against programs that multiply: root is exempt from
 * `ulimit -u` (getrlimit(2), RLIMIT_NPROC). It is removed at the end.
 */
export interface ProcessLimit extends AsyncDisposable {
  /** Empty where the machine has no such control groups: then nothing is limited. */
  directory: string;
}

/** The controller `pids` is in either version of control groups (cgroups(7)), wherever the rescue system has it mounted. */
export async function limitProcesses(): Promise<ProcessLimit> {
  const directory = await makeGroup();
  return {
    directory,
    async [Symbol.asyncDispose]() {
      if (directory !== "") await removeGroup(directory);
    },
  };
}

/** Processes that were killed keep it until they are gone. An empty one that stays all the same does no harm. */
async function removeGroup(directory: string): Promise<void> {
  const startedAt = performance.now();
  const isRemoved = () =>
    rmdir(directory).then(
      () => true,
      () => false,
    );
  while (!(await isRemoved()) && performance.now() - startedAt < removalLimitMs) await delay(removalPauseMs);
}

async function makeGroup(): Promise<string> {
  for (const { type, mountPoint, options } of parseMountTable(await readFile("/proc/self/mountinfo", "utf8"))) {
    if (type !== "cgroup2" && !(type === "cgroup" && options.includes("pids"))) continue;
    try {
      if (type === "cgroup2") await writeFile(`${mountPoint}/cgroup.subtree_control`, "+pids");
      const directory = await mkdtemp(`${mountPoint}/metalcast-`);
      await writeFile(`${directory}/pids.max`, String(mostProcesses));
      return directory;
    } catch {
      // Read-only in a container, or the controller is the other version's.
    }
  }
  return "";
}
