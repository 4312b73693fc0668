import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { archiveName, type Manifest, manifestSchema } from "../mirror/manifest.ts";
import type { CatalogImage } from "./catalog.ts";
import type { TreeFacts } from "./facts.ts";
import type { VendorImage } from "./fetch.ts";
import type { PackedImage } from "./pack.ts";

/** What one build learned, step by step. */
export interface BuildResult {
  image: CatalogImage;
  vendor: VendorImage;
  version: string;
  date: Date;
  templateSha256: string;
  tools: Record<string, string>;
  facts: TreeFacts;
  packed: PackedImage;
}

/** Room for the boot partitions, the config drive, file system metadata, logs and the first updates. */
const spareBytes = 2 ** 30;
const roundBytes = 2 ** 20;

export function createManifest(result: BuildResult): Manifest {
  const { image, vendor, version, date, templateSha256, tools, facts, packed } = result;
  const { sizeBytes, sha256, unpackedBytes, frames, shards } = packed;
  return manifestSchema.parse({
    formatVersion: 1,
    name: image.name,
    arch: image.arch,
    version,
    family: image.family,
    ...facts,
    unpackedBytes,
    minimumDiskBytes: Math.ceil((unpackedBytes * 1.25 + spareBytes) / roundBytes) * roundBytes,
    license: image.license,
    source: vendor.source,
    build: { date: date.toISOString(), templateSha256, tools },
    files: [{ path: archiveName, sizeBytes, sha256 }],
    frames,
    shards,
  });
}

/** Writes `manifest.json` and `SHA256SUMS`, in the format of sha256sum(1), beside the archive. */
export async function writeImage(directory: string, manifest: Manifest): Promise<void> {
  const text = `${JSON.stringify(manifest, undefined, 2)}\n`;
  const sums = [
    ...manifest.files,
    { path: "manifest.json", sha256: createHash("sha256").update(text).digest("hex") },
  ].map(({ path, sha256 }) => `${sha256}  ${path}\n`);
  await writeFile(join(directory, "manifest.json"), text);
  await writeFile(join(directory, "SHA256SUMS"), sums.join(""));
}
