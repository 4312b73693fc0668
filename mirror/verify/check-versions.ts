import { Failure } from "../../common/failure.ts";
import { imagePrefix } from "../channel.ts";
import { type Manifest, manifestLimitBytes, parseManifest } from "../manifest.ts";
import { sideBySide } from "../side-by-side.ts";
import type { ListedFile, StatedImage } from "../sync/read-statement.ts";
import { type SyncFilter, selectVersions } from "../sync/select-versions.ts";
import type { Finding } from "./finding.ts";
import { readPart } from "./read-part.ts";
import type { Verification } from "./verification.ts";

/** A manifest has up to 32 MiB. */
const manifestsAtOnce = 3;

/**
 * Reads the manifest of every version that is listed and taken.
 * @returns the files of each version, by its prefix; without those whose manifest can't be believed
 */
export async function checkVersions(
  run: Verification,
  images: readonly StatedImage[],
  filter: SyncFilter,
): Promise<Map<string, ListedFile[]>> {
  const found = new Map<string, ListedFile[]>();
  const wanted = images.flatMap((image) => selectVersions(image, filter).map((version) => ({ image, version })));
  await sideBySide(wanted, { limit: manifestsAtOnce, ...run.retry }, async ({ image, version }, signal) => {
    const prefix = `${imagePrefix(image)}${version}/`;
    const part = {
      key: `${prefix}manifest.json`,
      sha256: image.versions[version]?.manifestSha256 ?? "",
      limitBytes: manifestLimitBytes,
    };
    const bytes = await readPart({ ...run, retry: { ...run.retry, signal } }, run.store, part, run.mender);
    const manifest = bytes && parse(bytes, part.key);
    if (!manifest) return;
    if (isFinding(manifest)) run.damages.push({ finding: manifest });
    else if (isOf(manifest, image, version)) {
      found.set(prefix, [...listFiles(manifest, prefix), ...(image.reports[version] ?? [])]);
    } else run.damages.push({ finding: otherVersion(manifest, part.key) });
  });
  return found;
}

function parse(bytes: Buffer, key: string): Manifest | Finding {
  try {
    return parseManifest(bytes, key);
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== "integrity") throw error;
    return { key, problem: "invalid", code: error.code, reason: error.message };
  }
}

function isFinding(found: Manifest | Finding): found is Finding {
  return "problem" in found && "key" in found;
}

function isOf(manifest: Manifest, { name, arch }: StatedImage, version: string): boolean {
  return manifest.name === name && manifest.arch === arch && manifest.version === version;
}

function listFiles({ files }: Manifest, prefix: string): ListedFile[] {
  return files.map(({ path, sizeBytes, sha256 }) => ({ key: prefix + path, sizeBytes, sha256 }));
}

function otherVersion({ name, arch, version }: Manifest, key: string): Finding {
  const reason = `it is the manifest of ${name}@${version} for ${arch}`;
  return { key, problem: "invalid", code: "manifest-mismatch", reason };
}
