import type { Command } from "commander";
import { action } from "../../common/command-line.ts";
import { Failure } from "../../common/failure.ts";
import { formatTable } from "../../common/table.ts";
import { formatDuration } from "../../common/units.ts";
import type { QualificationReport } from "../../mirror/index.ts";
import { findInstalledImage } from "./installed-image.ts";
import { type ItemName, isItemName, itemNames, loadProfile } from "./profile.ts";
import { qualify } from "./qualify.ts";
import { writeReport } from "./write-report.ts";

interface QualifyFlags {
  profile: string;
  only?: ItemName[];
  report?: string;
  image?: string;
}

/** The verb of a server that is installed. */
export function addQualifyCommand(program: Command): void {
  program
    .command("qualify")
    .description("find out whether this server and what is installed on it are fit for each other")
    .option("--profile <file>", "what to do and the limits: a YAML file, quick or full", "quick")
    .option("--only <item>", "one item of the profile; may be given several times", collect)
    .option("--report <directory>", "write report.json and report.html there")
    .option("--image <reference>", "what the server was installed from (default: what the installation says)")
    .action(
      action<QualifyFlags>(async ({ print, emit, signal }, { profile, only, report: directory, image }) => {
        const wanted = await loadProfile(profile);
        const installed = await findInstalledImage(image);
        const report = await qualify(wanted, { ...(only && { only }), image: installed, emit, signal });
        if (directory !== undefined) await writeReport(directory, report);
        print(report, describeReport(report));
        judge(report);
      }),
    );
}

function collect(name: string, former: ItemName[] = []): ItemName[] {
  if (isItemName(name)) return [...former, name];
  throw new Failure({
    code: "item-unknown",
    kind: "usage",
    message: `there is no item ${name}`,
    hint: `items: ${itemNames.join(", ")}`,
  });
}

function describeReport({ items }: QualificationReport): string {
  const rows = items.map(({ name, outcome, durationMs, reason = "" }) => [
    name,
    outcome,
    formatDuration(durationMs),
    reason,
  ]);
  return formatTable(["item", "outcome", "time", "reason"], rows);
}

/** @throws Failure `qualify-failed` (failed), `interrupted` */
function judge({ outcome, items }: QualificationReport): void {
  if (outcome === "passed") return;
  if (outcome === "interrupted") {
    throw new Failure({ code: "interrupted", kind: "interrupted", message: "qualifying this server: interrupted" });
  }
  const failed = items.filter((item) => item.outcome === "failed").map(({ name }) => name);
  throw new Failure({
    code: "qualify-failed",
    kind: "failed",
    message: `this server did not pass: ${failed.join(", ")}`,
    hint: "the reasons are in the table and in the report",
    data: { failed },
  });
}
