import type { Command } from "commander";
import { action } from "../../common/command-line.ts";
import { Failure } from "../../common/failure.ts";
import { openStore } from "../open-store.ts";
import { type FilterFlags, filterOf, filterOptions } from "../sync/filter-options.ts";
import { type RootFlag, rootOption } from "../trust/command-options.ts";
import { readRootFile } from "../trust/key-ring.ts";
import { describeVerified } from "./describe-verified.ts";
import { isDamage } from "./finding.ts";
import { type Verified, verify } from "./verify.ts";

interface Flags extends RootFlag, FilterFlags {
  quick?: boolean;
  repairFrom?: string;
  dryRun?: boolean;
}

/** The verb that checks a whole mirror. */
export function addVerifyCommand(program: Command): void {
  const command = program.command("verify <store>");
  for (const option of filterOptions()) command.addOption(option);
  command
    .description("check a whole mirror: signatures, every object's size and hash, what nothing refers to")
    .addOption(rootOption())
    .option("--quick", "look at presence and sizes, and read no files but metadata and manifests")
    .option("--repair-from <store>", "another mirror, from which comes what is damaged or missing")
    .option("--dry-run", "say what would be repaired, and change nothing")
    .action(
      action<Flags>(
        async ({ emit, print, signal }, { root, quick = false, repairFrom, dryRun = false, ...flags }, url) => {
          const verified = await verify(openStore(url), {
            ...{ root: await readRootFile(root), quick, dryRun, filter: filterOf(flags), emit, signal },
            ...(repairFrom !== undefined && { repairFrom: openStore(repairFrom) }),
          });
          print(verified, describeVerified(verified, { dryRun, now: new Date() }));
          expectFine(verified);
        },
      ),
    );
}

/** @throws Failure `mirror-damaged` (integrity) */
function expectFine({ ok, store, findings }: Verified): void {
  if (ok) return;
  const damages = findings.filter(isDamage);
  const keys = damages.slice(0, 3).map(({ key }) => key);
  const more = damages.length > keys.length ? `, and ${damages.length - keys.length} more` : "";
  const isRefused = damages.some(({ problem }) => problem === "refused");
  throw new Failure({
    code: "mirror-damaged",
    kind: "integrity",
    message: `verifying ${store}: ${damages.length} found damaged or missing: ${keys.join(", ")}${more}`,
    hint: isRefused
      ? "readers refuse this mirror: the first finding says why, docs/trust.md what it means"
      : "`--repair-from` another mirror puts in place what that one has",
    data: { keys: damages.map(({ key }) => key) },
  });
}
