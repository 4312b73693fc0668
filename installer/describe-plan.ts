import { formatCommand } from "../common/run.ts";
import { formatTable } from "../common/table.ts";
import type { Plan } from "./plan.ts";
import type { Step, TargetFile } from "./step.ts";

/** The plan as a table for people: what will happen, in order. */
export function describePlan(plan: Plan): string {
  const facts = [
    `image       ${plan.image}`,
    `instance    ${plan.instanceUuid} (${plan.hostname})`,
    `firmware    ${plan.firmware.join(", ")}`,
    `disks       ${plan.disks.join("\n            ")}`,
  ];
  const rows = plan.steps.map(({ name, title }, index) => [String(index + 1), name, title]);
  return `${facts.join("\n")}\n\n${formatTable(["#", "step", "what happens"], rows)}`;
}

/** Every command and every file of the plan, in order, as `install --dry-run` prints it. */
export function describeCommands(plan: Plan): string {
  return plan.steps.map((step) => `# ${step.name}: ${step.title}\n${describeStep(step).join("\n")}`).join("\n\n");
}

function describeStep(step: Step): string[] {
  switch (step.kind) {
    case "commands":
      return step.commands.map(([program, ...args]) => formatCommand(program, args));
    case "run-in-target":
      return step.commands.map((command) => formatCommand("chroot", [step.target, ...command]));
    case "write-files":
      return step.files.flatMap(describeFile);
    case "config-drive":
      return step.partitions.map((partition) => `write ISO 9660 config-2 (${step.files.length} files) to ${partition}`);
    case "lay-image":
      return [`unpack ${step.image.prefix}image.tar.zst into ${step.target}`];
    case "lay-tree":
      return [`copy the image's root file system into ${step.target}`];
    case "check-disks":
      return step.disks.map(
        ({ path, serial, sizeBytes }) => `expect ${path}, serial ${serial}, ${sizeBytes} bytes, held by nothing`,
      );
    case "firmware-entries":
      return step.entries.map(({ label, disk, partition, loader }) =>
        formatCommand("efibootmgr", [
          "--create",
          "--disk",
          disk,
          "--part",
          String(partition),
          "--loader",
          loader,
          "--label",
          label,
        ]),
      );
  }
}

function describeFile(file: TargetFile): string[] {
  if ("symlink" in file) return [`link ${file.path} -> ${file.symlink}`];
  const lines = String(file.content).trimEnd().split("\n");
  return [`write ${file.path}, mode ${file.mode.toString(8)}`, ...lines.map((line) => `  | ${line}`)];
}
