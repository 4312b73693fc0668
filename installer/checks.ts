import { Failure } from "../common/failure.ts";
import { requirePrograms } from "../common/programs.ts";
import { fencePrograms } from "./boot/fence-script.ts";
import { configDrivePrograms } from "./config-drive/format.ts";
import { type DiskIdentity, findDifferences, identifyDisk } from "./disk-identity.ts";
import { type Disk, discoverDisks } from "./hardware.ts";
import { labelPath } from "./label-disk.ts";
import type { Plan } from "./plan.ts";
import type { Step } from "./step.ts";
import { programsOf } from "./wipe/action.ts";

/** What the steps that are not plain commands run on the rescue system. */
const programsByKind: Record<Step["kind"], readonly string[]> = {
  commands: [],
  encrypt: ["cryptsetup", "udevadm", "wipefs"],
  "sync-arrays": [],
  "check-disks": ["lsblk"],
  "take-apart": ["blkdiscard", "udevadm", "wipefs"],
  wipe: ["blkdiscard", "blkid", "blockdev", "udevadm", "wipefs"],
  // By its format: below.
  "config-drive": [],
  "lay-image": ["tar"],
  "lay-tree": ["tar"],
  "fill-esp": ["cp", "mount", "sync", "umount"],
  "write-files": [],
  "copy-esp": ["cp", "mount", "sync", "umount"],
  "run-in-target": fencePrograms,
  hook: fencePrograms,
  "edit-ini": [],
  register: fencePrograms,
  "grub-defaults": [],
  "loader-type": [],
  "bls-entries": [],
  "load-kernel": [],
  "start-kernel": ["reboot"],
  "label-files": fencePrograms,
  "firmware-entries": ["efibootmgr"],
};

/**
 * Every program that the plan needs is there before its first step runs.
 * @throws Failure `programs-missing` (configuration)
 */
export async function checkPrograms(steps: Plan["steps"]): Promise<void> {
  const needed = steps.flatMap((step) => [
    ...programsByKind[step.kind],
    ...(step.kind === "config-drive" ? configDrivePrograms[step.format] : []),
    ...(step.kind === "take-apart" || step.kind === "wipe" ? programsOf(step.actions) : []),
    ...(step.kind === "commands" ? step.commands.map(([program]) => program) : []),
  ]);
  await requirePrograms(needed, "preparing the installation");
}

/**
 * The disks are the planned ones, and nothing holds them that is not to be taken apart, at the last moment before the
 * first write.
 * @throws Failure `disk-changed`, `disk-held`, `disk-holds-running-system` (refused)
 */
export async function checkDisks({ disks, held }: Extract<Step, { kind: "check-disks" }>): Promise<void> {
  const present = await discoverDisks();
  for (const planned of disks) checkDisk(planned, held, present);
}

/** The check of one disk against those that the machine has now. */
export function checkDisk(planned: DiskIdentity, held: "refuse" | "take-apart", present: readonly Disk[]): void {
  const disk = present.find(({ path, links }) => path === planned.path || links.includes(planned.path));
  const differences = disk ? findDifferences(planned, disk) : ["it is gone"];
  if (!disk || differences.length > 0) {
    throw new Failure({
      code: "disk-changed",
      kind: "refused",
      message: `refusing to write to ${labelPath(planned.path)}: it is not the disk that was planned for: ${differences.join(", ")}`,
      hint: "make a new plan with `metalcast plan`",
      data: { expected: planned, found: disk && identifyDisk(disk) },
    });
  }
  if (disk.holdsRunningSystem) {
    throw new Failure({
      code: "disk-holds-running-system",
      kind: "refused",
      message: `refusing to write to ${labelPath(planned.path)}: the running system lives on it`,
      hint: "name other disks in disks.match",
    });
  }
  if (disk.heldBy.length > 0 && (held === "refuse" || disk.heldOutOfSight)) {
    throw new Failure({
      code: "disk-held",
      kind: "refused",
      message: `refusing to write to ${labelPath(planned.path)}: ${disk.heldBy.join(", ")}`,
      hint: "release the disk first (umount, swapoff, mdadm --stop, vgchange -an)",
    });
  }
}
