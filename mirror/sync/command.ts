import type { Command } from "commander";
import { action } from "../../common/command-line.ts";
import { parseSize } from "../../common/units.ts";
import { openStore } from "../open-store.ts";
import { openForWriting } from "../trust/command-options.ts";
import { describeSynced } from "./describe-synced.ts";
import { type FilterFlags, filterOf, filterOptions } from "./filter-options.ts";
import { recordMetrics } from "./metrics.ts";
import { sync } from "./sync.ts";

interface Options extends FilterFlags {
  delete?: boolean;
  dryRun?: boolean;
  bandwidth?: string;
  metrics?: string;
}

export function addSyncCommand(program: Command): void {
  const command = program.command("sync <from> <to>");
  for (const option of filterOptions()) command.addOption(option);
  command
    .description("make one mirror the copy of another, without any keys")
    .option("--delete", "remove files of versions that are not listed or not taken, once all else is done")
    .option("--dry-run", "say what would happen, and change nothing")
    .option("--bandwidth <size>", "bytes a second for all copies together, such as 50M")
    .option("--metrics <file>", "leave the outcome in a text file for Prometheus")
    .action(
      action<Options>(async ({ emit, print, signal }, options, fromUrl, toUrl) => {
        const [from, to] = [openStore(fromUrl), openForWriting(toUrl, emit)];
        const { dryRun = false, metrics, bandwidth } = options;
        const bytesPerSecond = bandwidth === undefined ? {} : { bytesPerSecond: parseBandwidth(bandwidth) };
        const deletes = options.delete ?? false;
        const work = () =>
          sync(from, to, { filter: filterOf(options), delete: deletes, dryRun, ...bytesPerSecond, emit, signal });
        const summary = metrics && !dryRun ? await recordMetrics(metrics, { from, to }, work) : await work();
        print(summary, describeSynced(summary));
      }),
    );
}

/** As rsync and rclone write it: `50M` are 50 MB a second. @throws Failure `size-invalid` (configuration) */
function parseBandwidth(text: string): number {
  return parseSize(/\d[kKMGT]$/.test(text) ? `${text}B` : text);
}
