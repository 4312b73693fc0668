import { type Command, Option } from "commander";
import { action, type Session } from "../common/command-line.ts";
import { formatTable } from "../common/table.ts";
import { parseDuration } from "../common/units.ts";
import { describePruned } from "./describe-pruned.ts";
import { listImages } from "./list-images.ts";
import { type Arch, archSchema } from "./manifest.ts";
import { writePages } from "./page/write-pages.ts";
import { promote } from "./promote.ts";
import { prune } from "./prune.ts";
import { publish } from "./publish.ts";
import { keepReport } from "./qualification/keep-report.ts";
import { readReportFile } from "./qualification/read-report-file.ts";
import { retire } from "./retire.ts";
import { rollback } from "./rollback.ts";
import { addServeCommand } from "./serve/command.ts";
import type { Store } from "./store.ts";
import { addSyncCommand } from "./sync/command.ts";
import {
  type KeyFlags,
  keyOptions,
  openForReading,
  openForSigning,
  type RootFlag,
  rootOption,
} from "./trust/command-options.ts";
import { addVerifyCommand } from "./verify/command.ts";

/** The verbs of a mirror. */
export function addMirrorCommands(program: Command): void {
  const signing = (command: Command) => keyOptions().reduce((made, option) => made.addOption(option), command);
  signing(program.command("publish <directory>"))
    .description("put a built image on a mirror and let a channel name it")
    .requiredOption("--to <store>", "s3://bucket/prefix or file:///directory")
    .option("--channel <name>", "the name that readers follow", "stable")
    .action(
      action<{ to: string; channel: string } & KeyFlags>(async (session, { to, channel, ...flags }, directory) => {
        const { emit, print, signal } = session;
        const published = await change(session, await openForSigning(to, flags, session.emit), (mirror) =>
          publish(mirror, directory, { channel, emit, signal }),
        );
        print(published, `${published.name}@${published.version} is published in ${to}`);
      }),
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
    .option("--require-qualified <hardware>", "refuse unless it has passed there; may be given several times", collect)
    .addOption(archOption())
    .action(
      action<{ on: string; channel: string; arch: Arch; requireQualified?: string[] } & KeyFlags>(
        async (session, { on, channel, arch, requireQualified = [], ...flags }, reference) => {
          const { print, signal } = session;
          const promoted = await change(session, await openForSigning(on, flags, session.emit), (mirror) =>
            promote(mirror, reference, { channel, arch, requireQualified, signal }),
          );
          const { name, version, former } = promoted;
          const before = former === version ? ", as before" : former === undefined ? "" : `, before that ${former}`;
          print(promoted, `${name}:${channel} is ${version}${before}`);
        },
      ),
    );
  signing(program.command("qualified <reference>"))
    .description("keep a report of `metalcast qualify` with the version that it is of: debian-12@20261123.0")
    .requiredOption("--on <store>", "s3://bucket/prefix or file:///directory")
    .requiredOption("--report <file>", "report.json, as `metalcast qualify --report` has written it")
    .addOption(archOption())
    .action(
      action<{ on: string; report: string; arch: Arch } & KeyFlags>(
        async (session, { on, report, arch, ...flags }, reference) => {
          const { print, signal } = session;
          const bytes = await readReportFile(report);
          const kept = await change(session, await openForSigning(on, flags, session.emit), (mirror) =>
            keepReport(mirror, reference, bytes, { arch, signal }),
          );
          const { name, version, outcome, hardware, profile } = kept;
          print(kept, `${name}@${version} has ${outcome} on ${hardware} by profile ${profile}`);
        },
      ),
    );
  signing(program.command("rollback <image>"))
    .description("let a channel name an older version again, as a new signed statement")
    .requiredOption("--on <store>", "s3://bucket/prefix or file:///directory")
    .requiredOption("--to <version>", "the version to go back to, such as 20261123.0")
    .option("--channel <name>", "the channel that goes back", "stable")
    .addOption(archOption())
    .action(
      action<{ on: string; to: string; channel: string; arch: Arch } & KeyFlags>(
        async (session, { on, to, channel, arch, ...flags }, image) => {
          const { print, signal } = session;
          const back = await change(session, await openForSigning(on, flags, session.emit), (mirror) =>
            rollback(mirror, image, { version: to, channel, arch, signal }),
          );
          const before = back.former === back.version ? "as before" : `no longer ${back.former}`;
          print(back, `${back.name}:${channel} is ${back.version}, ${before}`);
        },
      ),
    );
  signing(program.command("retire <reference>"))
    .description("take a version off the list, so that nobody new finds it: debian-12@20261123.0")
    .requiredOption("--on <store>", "s3://bucket/prefix or file:///directory")
    .addOption(archOption())
    .action(
      action<{ on: string; arch: Arch } & KeyFlags>(async (session, { on, arch, ...flags }, reference) => {
        const { print, signal } = session;
        const retired = await change(session, await openForSigning(on, flags, session.emit), (mirror) =>
          retire(mirror, reference, { arch, signal }),
        );
        const { name, version, since } = retired;
        print(retired, `${name}@${version} is off the list since ${since}; a prune removes its files after the grace`);
      }),
    );
  signing(program.command("prune <store>"))
    .description("remove old versions, never one that a channel names")
    .requiredOption("--keep <number>", "how many of the newest versions of each image stay")
    .option("--older-than <duration>", "only versions that are older go, such as 90d")
    .option("--channel <name>", "only versions go that no other channel has ever named")
    .option("--grace <duration>", "how long files stay after a version left the list", "1d")
    .option("--dry-run", "say what would happen, and change nothing")
    .action(
      action<{ keep: string; olderThan?: string; channel?: string; grace: string; dryRun?: boolean } & KeyFlags>(
        async (session, { keep, olderThan, channel, grace, dryRun = false, ...flags }, url) => {
          const { emit, print, signal } = session;
          const graceMs = parseDuration(grace);
          const limits = {
            keep: Number(keep),
            graceMs,
            ...(olderThan !== undefined && { olderThanMs: parseDuration(olderThan) }),
            ...(channel !== undefined && { channel }),
          };
          const work = (mirror: Store) => prune(mirror, { ...limits, dryRun, emit, signal });
          const mirror = await openForSigning(url, flags, emit);
          const pruned = dryRun ? await work(mirror) : await change(session, mirror, work);
          print(pruned, describePruned(pruned, dryRun));
        },
      ),
    );
  addSyncCommand(program);
  addVerifyCommand(program);
  addServeCommand(program);
}

/** Does something that changes what a mirror says, and then its pages. */
async function change<Result>(
  { emit, signal }: Session,
  mirror: Store,
  work: (mirror: Store) => Promise<Result>,
): Promise<Result> {
  const result = await work(mirror);
  await writePages(mirror, { emit, signal });
  return result;
}

function collect(value: string, former: string[] = []): string[] {
  return [...former, value];
}

function archOption(): Option {
  return new Option("--arch <name>", "the image's architecture").choices(archSchema.options).default("amd64");
}
