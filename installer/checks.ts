import { realpath } from "node:fs/promises";
import { Failure } from "../common/failure.ts";
import { requirePrograms } from "../common/programs.ts";
import { discoverHardware } from "./hardware.ts";
import type { Plan } from "./plan.ts";
import type { Step } from "./step.ts";

/** What the steps that are not plain commands run on the rescue system. */
const programsByKind: Record<Step["kind"], readonly string[]> = {
  commands: [],
  "check-disks": ["lsblk"],
  "config-drive": ["xorriso"],
  "lay-image": ["tar"],
  "lay-tree": ["tar"],
  "write-files": [],
  "run-in-target": ["unshare", "chroot"],
  "firmware-entries": ["efibootmgr"],
};

/**
 * Every program that the plan needs is there before its first step runs.
 * @throws Failure `programs-missing` (configuration)
 */
export async function checkPrograms(steps: Plan["steps"]): Promise<void> {
  const needed = steps.flatMap((step) => [
    ...programsByKind[step.kind],
    ...(step.kind === "commands" ? step.commands.map(([program]) => program) : []),
  ]);
  await requirePrograms(needed, "preparing the installation");
}

/**
 * The disks are the planned ones, and nothing holds them, at the last moment before the first write.
 * @throws Failure `disk-changed`, `disk-held` (refused)
 */
export async function checkDisks(planned: Extract<Step, { kind: "check-disks" }>["disks"]): Promise<void> {
  const { disks } = await discoverHardware();
  for (const { path, serial, sizeBytes } of planned) {
    const name = await realpath(path).catch(() => path);
    const disk = disks.find((candidate) => candidate.name === name);
    if (!disk || disk.serial !== serial || disk.sizeBytes !== sizeBytes) {
      throw new Failure({
        code: "disk-changed",
        kind: "refused",
        message: `refusing to write to ${path}: ${disk ? "it is not the disk that was planned for" : "it is gone"}`,
        hint: "make a new plan with `metalcast plan`",
        data: { expected: { serial, sizeBytes }, found: disk && { serial: disk.serial, sizeBytes: disk.sizeBytes } },
      });
    }
    if (disk.heldBy.length > 0) {
      throw new Failure({
        code: "disk-held",
        kind: "refused",
        message: `refusing to write to ${disk.name}: ${disk.heldBy.join(", ")}`,
        hint: "release the disk first (umount, swapoff, mdadm --stop, vgchange -an)",
      });
    }
  }
}
