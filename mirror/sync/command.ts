import { type Command, InvalidArgumentError } from "commander";
import { action } from "../../common/command-line.ts";
import { parseSize } from "../../common/units.ts";
import { type Arch, archSchema } from "../manifest.ts";
import { openStore } from "../open-store.ts";
import { describeSynced } from "./describe-synced.ts";
import { recordMetrics } from "./metrics.ts";
import type { SyncFilter } from "./select-versions.ts";
import { sync } from "./sync.ts";

interface Options {
  image?: string[];
  arch?: Arch[];
  channel?: string[];
  newest?: string;
  delete?: boolean;
  dryRun?: boolean;
  bandwidth?: string;
  metrics?: string;
}

export function addSyncCommand(program: Command): void {
  program
    .command("sync <from> <to>")
    .description("make one mirror the copy of another, without any keys")
    .option("--image <name>", "only this image; may be given several times", collect)
    .option("--arch <name>", "only this architecture; may be given several times", collectArchs)
    .option("--channel <name>", "only versions that this channel names; may be given several times", collect)
    .option("--newest <number>", "only so many of the newest versions, and those that a channel names")
    .option("--delete", "remove files of versions that are not listed or not taken, once all else is done")
    .option("--dry-run", "say what would happen, and change nothing")
    .option("--bandwidth <size>", "bytes a second for all copies together, such as 50M")
    .option("--metrics <file>", "leave the outcome in a text file for Prometheus")
    .action(
      action<Options>(async ({ emit, print, signal }, options, fromUrl, toUrl) => {
        const [from, to] = [openStore(fromUrl), openStore(toUrl)];
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

function filterOf({ image, arch, channel, newest }: Options): SyncFilter {
  return {
    ...(image && { images: image }),
    ...(arch && { archs: arch }),
    ...(channel && { channels: channel }),
    ...(newest !== undefined && { newest: Number(newest) }),
  };
}

/** As rsync and rclone write it: `50M` are 50 MB a second. @throws Failure `size-invalid` (configuration) */
function parseBandwidth(text: string): number {
  return parseSize(/\d[kKMGT]$/.test(text) ? `${text}B` : text);
}

function collect(value: string, former: string[] = []): string[] {
  return [...former, value];
}

function collectArchs(value: string, former: Arch[] = []): Arch[] {
  const arch = archSchema.safeParse(value);
  if (arch.success) return [...former, arch.data];
  throw new InvalidArgumentError(`expected one of ${archSchema.options.join(", ")}`);
}
