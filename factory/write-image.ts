import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { archiveName, type Manifest, manifestSchema } from "../mirror/manifest.ts";
import type { CatalogImage } from "./catalog.ts";
import type { TreeFacts } from "./facts.ts";
import type { VendorImage } from "./fetch.ts";
import { minimumDiskBytes } from "./minimum-disk.ts";
import type { PackedImage } from "./pack.ts";
import { sbomName } from "./sbom.ts";

/** What one build learned, step by step. */
export interface BuildResult {
  image: CatalogImage;
  vendor: VendorImage;
  version: string;
  date: Date;
  recipeSha256: string;
  templateSha256: string;
  tools: Record<string, string>;
  facts: TreeFacts;
  packed: PackedImage;
  /** Text of `sbom.cdx.json`. */
  sbom: string;
}

export function createManifest(result: BuildResult): Manifest {
  const { image, vendor, version, date, recipeSha256, templateSha256, tools, facts, packed, sbom } = result;
  const { sizeBytes, sha256, unpackedBytes, frames, shards } = packed;
  return manifestSchema.parse({
    formatVersion: 1,
    name: image.name,
    arch: image.arch,
    version,
    ...facts,
    unpackedBytes,
    minimumDiskBytes: minimumDiskBytes(unpackedBytes),
    license: image.license,
    source: vendor.source,
    build: { date: date.toISOString(), templateSha256, recipeSha256, tools },
    files: [
      { path: archiveName, sizeBytes, sha256 },
      { path: sbomName, sizeBytes: Buffer.byteLength(sbom), sha256: sha256Of(sbom) },
    ],
    frames,
    shards,
  });
}

/** Writes the SBOM, `manifest.json` and `SHA256SUMS`, in the format of sha256sum(1), beside the archive. */
export async function writeImage(directory: string, manifest: Manifest, sbom: string): Promise<void> {
  const text = `${JSON.stringify(manifest, undefined, 2)}\n`;
  const sums = [...manifest.files, { path: "manifest.json", sha256: sha256Of(text) }].map(
    ({ path, sha256 }) => `${sha256}  ${path}\n`,
  );
  await writeFile(join(directory, sbomName), sbom);
  await writeFile(join(directory, "manifest.json"), text);
  await writeFile(join(directory, "SHA256SUMS"), sums.join(""));
}

function sha256Of(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
