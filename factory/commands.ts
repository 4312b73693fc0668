import type { Command } from "commander";
import { action } from "../common/command-line.ts";
import { formatTable } from "../common/table.ts";
import { formatSize } from "../common/units.ts";
import { build } from "./build.ts";
import { findImage, loadCatalog } from "./catalog.ts";

interface BuildFlags {
  output: string;
  source?: string;
  checksum?: string;
  imageVersion?: string;
}

/** The verbs of the factory. */
export function addFactoryCommands(program: Command): void {
  program
    .command("images")
    .description("list the images that can be built")
    .action(
      action(async ({ print }) => {
        const images = [...(await loadCatalog()).values()];
        const rows = images.map(({ name, arch, family, source }) => [name, arch, family, source.url]);
        print(images, formatTable(["image", "arch", "family", "source"], rows));
      }),
    );
  program
    .command("build <image>")
    .description("make a published image of a vendor's cloud image (as root)")
    .requiredOption("--output <directory>", "where the image is put; must not exist")
    .option("--source <file>", "a vendor image on this machine, instead of a download")
    .option("--checksum <algorithm:digest>", "of --source: sha512:... or sha256:...")
    .option("--image-version <version>", "such as 20261123.0; default: today's")
    .action(
      action<BuildFlags>(async ({ emit, print, signal }, { imageVersion, ...flags }, name) => {
        const image = findImage(await loadCatalog(), name);
        const version = imageVersion === undefined ? {} : { version: imageVersion };
        const { directory, manifest } = await build({ image, ...flags, ...version, emit, signal });
        const sizeBytes = manifest.files.reduce((sum, file) => sum + file.sizeBytes, 0);
        print(
          { directory, manifest },
          `${manifest.name}@${manifest.version} is in ${directory} (${formatSize(sizeBytes)})`,
        );
      }),
    );
}
