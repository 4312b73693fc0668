import { formatCommand } from "../common/run.ts";
import { formatTable } from "../common/table.ts";
import { formatDuration, formatSize } from "../common/units.ts";
import { createArguments } from "./boot/firmware-entries.ts";
import type { ShellVariables } from "./boot/shell-variables.ts";
import type { IniSettings } from "./license/ini.ts";
import type { Plan } from "./plan.ts";
import type { Step, TargetFile } from "./step.ts";
import { encryptCommands } from "./storage/open-encrypted.ts";
import { formatAction } from "./wipe/action.ts";

/** The plan as a table for people: what will happen, in order. */
export function describePlan(plan: Plan): string {
  const facts = [
    `image       ${plan.image}`,
    `instance    ${plan.instanceUuid} (${plan.hostname})`,
    `firmware    ${plan.firmware.join(", ")}`,
    `disks       ${plan.disks.join("\n            ")}`,
  ];
  const rows = plan.steps.map(({ name, title }, index) => [String(index + 1), name, title]);
  const warnings = plan.warnings.map((warning) => `warning     ${warning}`);
  return `${[...facts, ...warnings].join("\n")}\n\n${formatTable(["#", "step", "what happens"], rows)}`;
}

/** Every command and every file of the plan, in order, as `install --dry-run` prints it. */
export function describeCommands(plan: Plan): string {
  return plan.steps.map((step) => `# ${step.name}: ${step.title}\n${describeStep(step).join("\n")}`).join("\n\n");
}

const formatNames = { iso9660: "ISO 9660", fat: "FAT" } as const;

function describeStep(step: Step): string[] {
  switch (step.kind) {
    case "commands":
      return step.commands.map(([program, ...args]) => formatCommand(program, args));
    case "encrypt":
      return encryptCommands(step).map(([program, ...args]) => formatCommand(program, args));
    case "sync-arrays":
      return step.arrays.map((array) => `wait until the members of ${array} are equal`);
    case "run-in-target":
      return step.commands.map((command) => formatCommand("chroot", [step.target, ...command]));
    case "fill-esp":
      return [`move what lies in ${step.target}${step.mountPoint} to ${step.device}, and mount it there`];
    case "copy-esp":
      return step.devices.map((device) => `copy what is on ${step.target}${step.mountPoint} to ${device}`);
    case "hook":
      return [
        `run ${step.script.name}, SHA-256 ${step.script.sha256}, for ${formatDuration(step.timeoutMs)} at most,`,
        step.where === "rescue"
          ? "  in the rescue system"
          : `  in the target, with${step.network ? "" : "out"} network`,
        ...Object.entries(step.environment).map(([name, value]) => `  | ${name}=${value}`),
      ];
    case "edit-ini":
      return [`in ${step.target}${step.path}, mode ${step.mode.toString(8)}, set`, ...describeIni(step.settings)];
    case "register":
      return [
        `chroot ${step.target}, with network: ${step.title}; its secrets come on standard input`,
        `  a failure ${step.onFailure === "fail" ? "ends the installation" : "is told, and the installation goes on"}`,
      ];
    case "grub-defaults":
      return [
        `in ${step.target}/etc/default/grub, add to GRUB_CMDLINE_LINUX: ${step.added.join(" ")}`,
        ...describeVariables(step.settings),
      ];
    case "loader-type":
      return [`set in ${step.target}/etc/sysconfig/bootloader`, ...describeVariables(step.settings)];
    case "bls-entries":
      return [
        `in ${step.target}/boot/loader/entries and /etc/kernel/cmdline, replace the root file system by: ${step.root.join(" ")}`,
        `  and add: ${step.added.join(" ")}; kernels are in ${step.bootPath || "/"} of their file system`,
      ];
    case "label-files":
      return [
        `where the image has an SELinux policy: ${formatCommand("chroot", [step.target, "setfiles", ...step.paths])}`,
      ];
    case "load-kernel":
      return [
        `kexec --load ${step.target}/boot/vmlinuz-${step.kernel}, with the initramfs and arguments of its boot entry`,
      ];
    case "start-kernel":
      return ["kexec --exec, or systemctl kexec; reboot where no kernel is loaded"];
    case "write-files":
      return step.files.flatMap(describeFile);
    case "take-apart":
    case "wipe":
      return step.actions.map(formatAction);
    case "config-drive":
      return step.partitions.map(
        (partition) =>
          `write ${formatNames[step.format]} config-2 (${step.files.length} files, ${formatSize(step.sizeBytes)}) to ${partition}`,
      );
    case "lay-image":
      return [`unpack ${step.image.prefix}image.tar.zst into ${step.target}`];
    case "lay-tree":
      return [`copy the image's root file system into ${step.target}`];
    case "check-disks":
      return step.disks.map(({ path, serial, wwn, sizeBytes, logicalSectorBytes }) =>
        [
          `expect ${path}, serial ${serial || "unknown"}`,
          ...(wwn === "" ? [] : [`WWN ${wwn}`]),
          `${sizeBytes} bytes in sectors of ${logicalSectorBytes}`,
          step.held === "refuse" ? "held by nothing" : "the running system not on it",
        ].join(", "),
      );
    case "firmware-entries":
      return [
        ...step.entries.map((entry) => formatCommand("efibootmgr", createArguments(entry))),
        `boot order: ${step.bootOrder}; stale entries of these partitions and of gone ones are removed`,
      ];
  }
}

function describeVariables(variables: ShellVariables): string[] {
  return Object.entries(variables).map(([name, value]) => `  | ${name}="${value}"`);
}

function describeIni(settings: IniSettings): string[] {
  return Object.entries(settings).flatMap(([section, keys]) =>
    Object.entries(keys).map(([key, value]) => `  | [${section}] ${key} = ${value}`),
  );
}

function describeFile(file: TargetFile): string[] {
  if ("symlink" in file) return [`link ${file.path} -> ${file.symlink}`];
  const lines = String(file.content).trimEnd().split("\n");
  return [`write ${file.path}, mode ${file.mode.toString(8)}`, ...lines.map((line) => `  | ${line}`)];
}
