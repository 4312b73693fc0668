import type { Command } from "commander";
import { action } from "../common/command-line.ts";
import { formatTable } from "../common/table.ts";
import { listImages } from "./list-images.ts";
import { openStore } from "./open-store.ts";
import { publish } from "./publish.ts";

/** The verbs of a mirror. */
export function addMirrorCommands(program: Command): void {
  program
    .command("publish <directory>")
    .description("put a built image on a mirror and let a channel name it")
    .requiredOption("--to <store>", "s3://bucket/prefix or file:///directory")
    .option("--channel <name>", "the name that readers follow", "stable")
    .action(
      action<{ to: string; channel: string }>(async ({ emit, print, signal }, { to, channel }, directory) => {
        const published = await publish(openStore(to), directory, { channel, emit, signal });
        print(published, `${published.name}@${published.version} is published in ${to}`);
      }),
    );
  program
    .command("list <store>")
    .description("list the images of a mirror, their channels and versions")
    .action(
      action(async ({ print, signal }, _options, url) => {
        const images = await listImages(openStore(url), signal);
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
}
