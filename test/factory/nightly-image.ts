import { mkdir } from "node:fs/promises";
import type { BuildOptions } from "../../factory/build.ts";
import type { CatalogImage } from "../../factory/catalog.ts";
import { digestTemplate } from "../../factory/customize-template.ts";
import { digestRecipe } from "../../factory/recipe-digest.ts";
import type { Manifest } from "../../mirror/manifest.ts";
import { makeSampleImage, writeSampleImage } from "../mirror/sample-image.ts";

export function nightlyImage(name: string): CatalogImage {
  return {
    name,
    title: name,
    arch: "amd64",
    family: "debian",
    format: "qcow2",
    license: "none",
    firmware: ["bios", "uefi"],
    source: {
      kind: "listed",
      url: `https://vendor.example.net/${name}.qcow2`,
      checksums: "https://vendor.example.net/SHA512SUMS",
      algorithm: "sha512",
    },
    packages: { add: ["linux-image-amd64"], remove: [] },
    components: [],
    tested: "boot",
    file: `/catalog/${name}.yaml`,
    origin: "built-in",
    keyFolders: [],
  };
}

/** Leaves what a build would, without one. @param checksum of the vendor image that it was made of */
export async function pretendToBuild(
  { image, output, version = "" }: BuildOptions,
  { checksum, date }: { checksum: string; date: Date },
): Promise<{ directory: string; manifest: Manifest }> {
  const { manifest: sample, ...sampleRest } = makeSampleImage({ version, frameSizes: [[700], [2000], [700]] });
  const manifest: Manifest = {
    ...sample,
    name: image.name,
    arch: image.arch,
    source: { ...sample.source, checksum },
    build: {
      ...sample.build,
      date: date.toISOString(),
      templateSha256: await digestTemplate(),
      recipeSha256: digestRecipe(image),
    },
  };
  await mkdir(output);
  await writeSampleImage(output, { ...sampleRest, manifest });
  return { directory: output, manifest };
}
