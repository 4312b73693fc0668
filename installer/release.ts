import { access, readFile } from "node:fs/promises";
import { type Emit, note } from "../common/event.ts";
import { asFailure } from "../common/failure.ts";
import { run } from "../common/run.ts";
import type { Plan } from "./plan.ts";

/**
 * After a failure: unmounts whatever of the target is mounted and stops the plan's arrays, so that a second try finds
 * free disks. What can't be released is told as a note, since the first failure is the one to report.
 */
export async function releaseTarget({ target, steps }: Plan, emit: Emit): Promise<void> {
  const doing = "releasing the target after a failure";
  const attempt = async (program: string, args: string[]) => {
    await run(program, args, { doing }).catch((error: unknown) => note(emit, asFailure(error, doing).message));
  };
  for (const mountPoint of await mountedBelow(target)) await attempt("umount", [mountPoint]);
  const arrays = steps.flatMap((step) =>
    step.kind === "commands" ? step.commands.filter(([program, verb]) => program === "mdadm" && verb === "--stop") : [],
  );
  for (const [program, verb = "", path = ""] of arrays) {
    const assembled = await access(path).then(
      () => true,
      () => false,
    );
    if (assembled) await attempt(program, [verb, path]);
  }
}

/** Innermost first: proc_pid_mounts(5) lists mounts in the order they were made. */
async function mountedBelow(target: string): Promise<string[]> {
  const mounts = (await readFile("/proc/self/mounts", "utf8")).trim().split("\n");
  return mounts
    .map((line) => line.split(" ")[1] ?? "")
    .filter(
      (mountPoint) =>
        mountPoint === target || mountPoint.startsWith(`${target}/`) || mountPoint.startsWith(`${target}-`),
    )
    .reverse();
}
