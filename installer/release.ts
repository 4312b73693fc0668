import { readFile, realpath } from "node:fs/promises";
import { basename } from "node:path";
import { type Emit, note } from "../common/event.ts";
import { asFailure } from "../common/failure.ts";
import { run } from "../common/run.ts";
import { unloadKernel } from "./boot/kexec.ts";
import { unbootableTasks } from "./boot/make-unbootable.ts";
import { undoRegistration } from "./license/register.ts";
import type { Plan } from "./plan.ts";
import type { Step } from "./step.ts";
import { targetMounts } from "./target-mounts.ts";

const doing = "releasing the target after a failure";

/** What becomes of a target whose installation failed: it is released, or stays mounted for a look at it. */
export type OnFailure = "clean" | "leave";

/**
 * After a failure: sees to it that nothing boots, takes a registration back, unmounts whatever of the target is mounted and takes down what the
 * plan made, from the top, so that a second try finds free disks. What can't be done is told as a note, since the first
 * failure is the one to report.
 * @param begun the steps that have begun, the last of which failed
 */
export async function cleanUp(
  { target, loaders }: Plan,
  begun: readonly Step[],
  onFailure: OnFailure,
  emit: Emit,
): Promise<void> {
  const isDone = (name: string) => begun.slice(0, -1).some((step) => step.name === name);
  // Of a disk that is gone nothing can be taken away; that must not keep the others as they are.
  const attempt = (task: () => Promise<void>) =>
    task().catch((error: unknown) => note(emit, asFailure(error, doing).message));
  // Once the target is released, the installation as such is through.
  if (begun.some(({ kind }) => kind === "fill-esp") && !isDone("release")) {
    for (const task of unbootableTasks(loaders)) await attempt(task);
  }
  if (onFailure === "leave") return;
  // The next try registers anew: this one would stay on the server, and nobody would know it.
  for (const step of isDone("release") ? [] : begun.slice(0, -1)) {
    if (step.kind === "register") await undoRegistration(step, (line) => note(emit, line, step.name));
  }
  for (const mountPoint of await targetMounts(target)) {
    await attempt(async () => void (await run("umount", [mountPoint], { doing })));
  }
  for (const step of begun.toReversed()) await attempt(() => releaseMade(step));
}

/** An array or mapping of that name need not be ours: a foreign one stays. */
async function releaseMade(step: Step): Promise<void> {
  if (step.kind === "encrypt") {
    if (await isMapped(step.mapping, step.uuid)) await run("cryptsetup", ["close", step.mapping], { doing });
    return;
  }
  if (step.kind === "load-kernel") return unloadKernel(doing);
  if (step.kind !== "commands") return;
  for (const [program, ...args] of step.commands.toReversed()) {
    const made = optionsOf(args);
    if (program === "mdadm" && args[0] === "--create") {
      const path = args[1] ?? "";
      if (await isAssembled(path, made("--uuid=") ?? "")) await run("mdadm", ["--stop", path], { doing });
    }
    if (program === "vgcreate") await deactivate(args, made("--devices=") ?? "");
  }
}

function optionsOf(args: readonly string[]): (prefix: string) => string | undefined {
  return (prefix) => args.find((option) => option.startsWith(prefix))?.slice(prefix.length);
}

/** vgcreate(8): after the options come the group's name and its members. */
async function deactivate(args: readonly string[], devices: string): Promise<void> {
  const name = args.find((word) => !word.startsWith("-"));
  if (name === undefined) return;
  const own = `--devices=${devices}`;
  // LVM's exit code for a group that is not there: 5. Its devices may not be there either.
  const { exitCode } = await run("vgs", ["--quiet", own, name], { doing, accept: [0, 5] });
  if (exitCode === 0) await run("vgchange", ["--quiet", own, "--activate=n", name], { doing });
}

async function isAssembled(path: string, uuid: string): Promise<boolean> {
  // mdadm(8), exit status of --detail: 1 and 2 for failed members, 4 where there is no array to look at.
  const { stdout } = await run("mdadm", ["--detail", "--export", path], { doing, accept: [0, 1, 2, 4] });
  return stdout.split("\n").includes(`MD_UUID=${uuid}`);
}

/** The kernel keeps who made a mapping and of what: cryptsetup names it CRYPT-LUKS2-UUID-NAME. */
async function isMapped(name: string, uuid: string): Promise<boolean> {
  const device = await realpath(`/dev/mapper/${name}`).catch(() => undefined);
  if (device === undefined) return false;
  const found = await readFile(`/sys/block/${basename(device)}/dm/uuid`, "utf8").catch(() => "");
  return found.trim() === `CRYPT-LUKS2-${uuid.replaceAll("-", "")}-${name}`;
}
