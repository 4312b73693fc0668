import { createHash } from "node:crypto";
import { Failure } from "../common/failure.ts";
import { type ImagePlace, imagePrefix } from "./channel.ts";
import { type Manifest, manifestLimitBytes, parseManifest } from "./manifest.ts";
import { readWhole } from "./read-whole.ts";
import type { Store } from "./store.ts";

/** A version of an image, and what its manifest has to be. */
export interface ListedVersion extends ImagePlace {
  version: string;
  manifestSha256: string;
}

/**
 * Reads the manifest of a listed version, verified against the list.
 * @throws Failure `manifest-hash-mismatch`, `manifest-mismatch`, `manifest-invalid` (integrity); what a store throws
 */
export async function readManifest(store: Store, listed: ListedVersion, signal?: AbortSignal): Promise<Manifest> {
  const key = `${imagePrefix(listed)}${listed.version}/manifest.json`;
  const where = `${store.url}/${key}`;
  const bytes = await readWhole(store, key, { limitBytes: manifestLimitBytes, ...(signal ? { signal } : {}) });
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== listed.manifestSha256) throw hashMismatch(where, listed.manifestSha256, found);
  const manifest = parseManifest(bytes, where);
  expectIdentity(manifest, listed, where);
  return manifest;
}

function hashMismatch(where: string, expected: string, found: string): Failure {
  return new Failure({
    code: "manifest-hash-mismatch",
    kind: "integrity",
    message: `reading ${where}: its SHA-256 is ${found}, the channel says ${expected}`,
    hint: "the mirror is damaged or tampered with: look at it with `metalcast verify`",
    data: { expected, found },
  });
}

/** @throws Failure `manifest-mismatch` (integrity) for a whole and valid manifest that is another image's */
export function expectIdentity(
  manifest: Manifest,
  wanted: Pick<Manifest, "name" | "arch" | "version">,
  where: string,
): void {
  const same = manifest.name === wanted.name && manifest.arch === wanted.arch && manifest.version === wanted.version;
  if (same) return;
  throw new Failure({
    code: "manifest-mismatch",
    kind: "integrity",
    message: `reading ${where}: it is the manifest of ${manifest.name}@${manifest.version} for ${manifest.arch}`,
    hint: "the mirror is damaged or tampered with: look at it with `metalcast verify`",
  });
}
