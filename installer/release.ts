import { readFile } from "node:fs/promises";
import { type Emit, note } from "../common/event.ts";
import { asFailure } from "../common/failure.ts";
import { run } from "../common/run.ts";
import type { Plan } from "./plan.ts";

const doing = "releasing the target after a failure";

/**
 * After a failure: unmounts whatever of the target is mounted and stops the plan's arrays, so that a second try finds
 * free disks. What can't be released is told as a note, since the first failure is the one to report.
 */
export async function releaseTarget({ target, steps }: Plan, emit: Emit): Promise<void> {
  try {
    for (const mountPoint of await mountedBelow(target)) await run("umount", [mountPoint], { doing });
    for (const { path, uuid } of plannedArrays(steps)) {
      if (await isAssembled(path, uuid)) await run("mdadm", ["--stop", path], { doing });
    }
  } catch (error) {
    note(emit, asFailure(error, doing).message);
  }
}

/** Innermost first: proc_pid_mounts(5) lists mounts in the order they were made. */
async function mountedBelow(target: string): Promise<string[]> {
  const mounts = (await readFile("/proc/self/mounts", "utf8")).trim().split("\n");
  return mounts
    .map((line) => line.split(" ")[1] ?? "")
    .filter((path) => path === target || path.startsWith(`${target}/`) || path.startsWith(`${target}-`))
    .reverse();
}

function plannedArrays(steps: Plan["steps"]): { path: string; uuid: string }[] {
  const commands = steps.flatMap((step) => (step.kind === "commands" ? step.commands : []));
  return commands
    .filter(([program, verb]) => program === "mdadm" && verb === "--create")
    .map(([, , path = "", ...options]) => {
      const uuid = options.find((option) => option.startsWith("--uuid="))?.slice("--uuid=".length) ?? "";
      return { path, uuid };
    });
}

/** An array of that name need not be ours. */
async function isAssembled(path: string, uuid: string): Promise<boolean> {
  // mdadm(8), exit status of --detail: 1 and 2 for failed members, 4 where there is no array to look at.
  const { stdout } = await run("mdadm", ["--detail", "--export", path], { doing, accept: [0, 1, 2, 4] });
  return stdout.split("\n").includes(`MD_UUID=${uuid}`);
}
