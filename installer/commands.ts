import type { Command } from "commander";
import { action } from "../common/command-line.ts";
import { formatTable } from "../common/table.ts";
import { formatSize } from "../common/units.ts";
import { describeCommands, describePlan } from "./describe-plan.ts";
import { execute } from "./execute.ts";
import { discoverHardware, type Hardware } from "./hardware.ts";
import { loadJob } from "./job.ts";
import { plan } from "./plan.ts";
import { resolveJobImage } from "./resolve-job-image.ts";

/** The verbs of a server that is being installed. */
export function addInstallerCommands(program: Command): void {
  program
    .command("disks")
    .description("list this machine's disks and what holds them")
    .action(
      action(async ({ print, signal }) => {
        const hardware = await discoverHardware(signal);
        print(hardware.disks, describeDisks(hardware));
      }),
    );
  program
    .command("plan <job>")
    .description("show what an installation would do, and touch nothing")
    .action(
      action(async ({ print }, _options, file) => {
        const made = await makePlan(file);
        print(made, describePlan(made));
      }),
    );
  program
    .command("install <job>")
    .description("install this machine: its disks are wiped")
    .option("--dry-run", "print every command and touch nothing")
    .action(
      action<{ dryRun?: boolean }>(async ({ print, emit, signal }, { dryRun }, file) => {
        const made = await makePlan(file);
        if (dryRun) return print(made, describeCommands(made));
        for await (const event of execute(made, { signal })) emit(event);
      }),
    );
}

async function makePlan(file: string) {
  const job = await loadJob(file);
  return plan(job, await discoverHardware(), await resolveJobImage(job));
}

function describeDisks({ disks }: Hardware): string {
  const rows = disks.map(({ name, sizeBytes, model, serial, transport, heldBy, path }) => [
    name,
    formatSize(sizeBytes),
    model,
    serial,
    transport,
    heldBy.join(", ") || "nothing",
    path,
  ]);
  return formatTable(["disk", "size", "model", "serial", "bus", "held by", "path"], rows);
}
