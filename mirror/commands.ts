import { type Command, Option } from "commander";
import { action } from "../common/command-line.ts";
import { formatTable } from "../common/table.ts";
import { parseDuration } from "../common/units.ts";
import { describePruned } from "./describe-pruned.ts";
import { listImages } from "./list-images.ts";
import { type Arch, archSchema } from "./manifest.ts";
import { promote } from "./promote.ts";
import { prune } from "./prune.ts";
import { publish } from "./publish.ts";
import { addSyncCommand } from "./sync/command.ts";
import {
  type KeyFlags,
  keyOptions,
  openForReading,
  openForSigning,
  type RootFlag,
  rootOption,
} from "./trust/command-options.ts";

/** The verbs of a mirror. */
export function addMirrorCommands(program: Command): void {
  const signing = (command: Command) => keyOptions().reduce((made, option) => made.addOption(option), command);
  signing(program.command("publish <directory>"))
    .description("put a built image on a mirror and let a channel name it")
    .requiredOption("--to <store>", "s3://bucket/prefix or file:///directory")
    .option("--channel <name>", "the name that readers follow", "stable")
    .action(
      action<{ to: string; channel: string } & KeyFlags>(
        async ({ emit, print, signal }, { to, channel, ...flags }, directory) => {
          const published = await publish(await openForSigning(to, flags), directory, { channel, emit, signal });
          print(published, `${published.name}@${published.version} is published in ${to}`);
        },
      ),
    );
  program
    .command("list <store>")
    .description("list the images of a mirror, their channels and versions")
    .addOption(rootOption())
    .action(
      action<RootFlag>(async ({ print, signal }, flags, url) => {
        const images = await listImages(await openForReading(url, flags), signal);
        const rows = images.map(({ name, arch, channels, versions }) => [
          name,
          arch,
          Object.entries(channels)
            .map(([channel, version]) => `${channel}=${version}`)
            .join(" "),
          String(versions.length),
        ]);
        print(images, formatTable(["image", "arch", "channels", "versions"], rows));
      }),
    );
  signing(program.command("promote <reference>"))
    .description("let a channel name a version that is published: debian-12:candidate, debian-12@20261123.0")
    .requiredOption("--on <store>", "s3://bucket/prefix or file:///directory")
    .option("--channel <name>", "the channel that moves", "stable")
    .addOption(archOption())
    .action(
      action<{ on: string; channel: string; arch: Arch } & KeyFlags>(
        async ({ print, signal }, { on, channel, arch, ...flags }, reference) => {
          const promoted = await promote(await openForSigning(on, flags), reference, { channel, arch, signal });
          const { name, version, former } = promoted;
          const before = former === version ? ", as before" : former === undefined ? "" : `, before that ${former}`;
          print(promoted, `${name}:${channel} is ${version}${before}`);
        },
      ),
    );
  signing(program.command("prune <store>"))
    .description("remove old versions, never one that a channel names")
    .requiredOption("--keep <number>", "how many of the newest versions of each image stay")
    .option("--grace <duration>", "how long files stay after a version left the list", "1d")
    .option("--dry-run", "say what would happen, and change nothing")
    .action(
      action<{ keep: string; grace: string; dryRun?: boolean } & KeyFlags>(
        async ({ emit, print, signal }, { keep, grace, dryRun = false, ...flags }, url) => {
          const graceMs = parseDuration(grace);
          const store = await openForSigning(url, flags);
          const pruned = await prune(store, { keep: Number(keep), graceMs, dryRun, emit, signal });
          print(pruned, describePruned(pruned, dryRun));
        },
      ),
    );
  addSyncCommand(program);
}

function archOption(): Option {
  return new Option("--arch <name>", "the image's architecture").choices(archSchema.options).default("amd64");
}
