import { Failure } from "../../common/failure.ts";
import type { RunOptions } from "../../common/run.ts";
import { findFile, readText } from "../../common/tree-file.ts";
import type { Command, Step } from "../step.ts";
import { targetDevices } from "../storage/target-needs.ts";
import { writeFiles } from "../write-files.ts";
import type { BootContext } from "./family.ts";
import { runInTarget } from "./fence.ts";

type LabelFiles = Extract<Step, { kind: "label-files" }>;

/** Everything in the target: setfiles(8) does not go on to other file systems by itself. */
export function labelTargetStep(context: BootContext): Step {
  const places = context.layout.filesystems.filter(({ type }) => type !== "vfat");
  return labelFilesStep(
    context,
    "label-files",
    places.map(({ mountPoint }) => mountPoint),
  );
}

/** @param paths of the target, with all that is in them */
export function labelFilesStep({ layout, target }: BootContext, name: string, paths: readonly string[]): Step {
  const title = `give ${paths.join(", ")} SELinux's labels`;
  return { kind: "label-files", name, title, target, devices: targetDevices(layout), paths };
}

/** Mounted while programs of the target run, or on a file system that has no labels. */
const unlabeled = ["/dev", "/proc", "/sys", "/run", "/boot/efi"];

/**
 * Labels are attributes of files, which a rescue system without SELinux writes as well. What was laid brought its own,
 * what the installer and the target's programs wrote has none, and a system that enforces a policy lets nobody in. Where
 * setfiles(8) cannot do it, the system does at its first boot, and starts once more: /.autorelabel,
 * selinux-autorelabel(8).
 */
export async function labelFiles(step: LabelFiles, options: RunOptions): Promise<void> {
  const { target, devices, paths } = step;
  const policy = await readPolicy(target);
  if (policy === undefined) return;
  const contexts = `/etc/selinux/${policy}/contexts/files/file_contexts`;
  // The kernel of the rescue system does not say in /proc/mounts what can have labels, and setfiles must not look: -m.
  const command: Command = ["setfiles", "-F", "-m", ...unlabeled.flatMap((path) => ["-e", path]), contexts, ...paths];
  try {
    if ((await findFile(target, contexts)) !== undefined) {
      const work = { ...step, kind: "run-in-target", devices, commands: [command], administers: true } as const;
      return await runInTarget(work, options);
    }
  } catch (error) {
    // Red Hat Enterprise Linux 7 does not know -m.
    if (!(error instanceof Failure) || error.code !== "command-failed") throw error;
  }
  options.onLine?.("labels cannot be written here: the server writes them at its first boot, and starts once more");
  await writeFiles(target, [{ path: "/.autorelabel", mode: 0o644, content: "-F\n" }]);
}

/** @returns the policy's name; undefined where SELinux is switched off, or is not there: selinux_config(5) */
async function readPolicy(target: string): Promise<string | undefined> {
  const text = (await readText(target, "etc/selinux/config")) ?? "";
  const read = (name: string) => new RegExp(`^[ \\t]*${name}=[ \\t]*([\\w-]+)[ \\t\\r]*$`, "m").exec(text)?.[1];
  return read("SELINUX") === "disabled" ? undefined : read("SELINUXTYPE");
}
