import { createHash } from "node:crypto";
import { Failure } from "../../common/failure.ts";
import type { ImagePlace } from "../channel.ts";
import { type Manifest, manifestLimitBytes, parseManifest } from "../manifest.ts";
import { expectIdentity } from "../read-manifest.ts";
import { readWhole } from "../read-whole.ts";
import { type RetryOptions, withRetries } from "../retry.ts";
import type { Store } from "../store.ts";
import type { Sides } from "./list-sides.ts";
import { sourceChanged } from "./read-resumed.ts";
import type { ListedFile } from "./read-statement.ts";

export interface WantedVersion extends ImagePlace {
  version: string;
  manifestSha256: string;
  /** Of its keys, with its slash. */
  prefix: string;
  /** Files that the signed list vouches for, not the manifest. */
  reports: readonly ListedFile[];
}

export interface VersionFiles {
  manifest: Manifest;
  /** All but the manifest itself. */
  files: ListedFile[];
  manifestFile: ListedFile;
  /** Whether the target has just this manifest. */
  manifestIsThere: boolean;
}

type Options = RetryOptions & { signal?: AbortSignal };

const checksumsName = "SHA256SUMS";
const checksumsLimitBytes = 2 ** 20;

/**
 * Which files a version has, by its manifest: the target's where that is the right one, so that a source which can't be
 * listed is not asked for what is there.
 * @throws Failure `manifest-hash-mismatch`, `manifest-mismatch`, `manifest-invalid`, `checksums-mismatch`,
 *   `source-changed` (integrity); what a store throws
 */
export async function readVersionFiles(
  from: Store,
  to: Store,
  sides: Sides,
  wanted: WantedVersion,
  options: Options,
): Promise<VersionFiles> {
  const key = `${wanted.prefix}manifest.json`;
  const there = await readTargetManifest(to, sides, wanted, options);
  const bytes = there ?? (await readManifest(from, wanted, options));
  const manifest = parseManifest(bytes, `${from.url}/${key}`);
  expectIdentity(manifest, wanted, `${from.url}/${key}`);
  const files = manifest.files.map(({ path, sizeBytes, sha256 }) => ({ key: wanted.prefix + path, sizeBytes, sha256 }));
  files.push(...wanted.reports);
  const manifestFile = { key, sizeBytes: bytes.byteLength, sha256: wanted.manifestSha256 };
  if (!manifest.files.some(({ path }) => path === checksumsName)) {
    files.push(...(await findChecksums(from, sides, manifest, wanted, options)));
  }
  return { manifest, files, manifestFile, manifestIsThere: there !== undefined };
}

async function readTargetManifest(
  to: Store,
  { target }: Sides,
  { prefix, manifestSha256 }: WantedVersion,
  options: Options,
): Promise<Uint8Array | undefined> {
  const key = `${prefix}manifest.json`;
  const there = target.get(key);
  if (!there || there.sizeBytes > manifestLimitBytes) return undefined;
  const bytes = await readWhole(to, key, { limitBytes: manifestLimitBytes, ...options });
  return hashOf(bytes) === manifestSha256 ? bytes : undefined;
}

async function readManifest(
  from: Store,
  { prefix, manifestSha256 }: WantedVersion,
  options: Options,
): Promise<Uint8Array> {
  const key = `${prefix}manifest.json`;
  const bytes = await readWhole(from, key, { limitBytes: manifestLimitBytes, ...options }).catch((error: unknown) => {
    const gone = error instanceof Failure && error.code === "object-missing";
    throw gone ? sourceChanged(`reading ${from.url}/${key}`, error) : error;
  });
  const found = hashOf(bytes);
  if (found === manifestSha256) return bytes;
  throw new Failure({
    code: "manifest-hash-mismatch",
    kind: "integrity",
    message: `reading ${from.url}/${key}: its SHA-256 is ${found}, the signed list says ${manifestSha256}`,
    hint: "the mirror that is copied is damaged or tampered with: look at it with `metalcast verify`",
    data: { expected: manifestSha256, found },
  });
}

/** The one file that a manifest needs not list, since it names the manifest. Lines as sha256sum(1) writes them. */
async function findChecksums(
  from: Store,
  { source, target }: Sides,
  manifest: Manifest,
  { prefix, manifestSha256 }: WantedVersion,
  options: Options,
): Promise<ListedFile[]> {
  const key = prefix + checksumsName;
  const there = target.get(key);
  if (there && (!source || source.get(key)?.sizeBytes === there.sizeBytes)) return [];
  const found = source?.get(key) ?? (await withRetries(() => from.stat(key, options.signal), options));
  if (!found) return [];
  const bytes = await readWhole(from, key, { limitBytes: checksumsLimitBytes, ...options });
  const expected = new Map(manifest.files.map(({ path, sha256 }) => [path, sha256]));
  expected.set("manifest.json", manifestSha256);
  for (const line of bytes.toString("utf8").split("\n").filter(Boolean)) {
    const [, sha256, name = ""] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? [];
    if (sha256 !== undefined && expected.get(name) === sha256) continue;
    throw new Failure({
      code: "checksums-mismatch",
      kind: "integrity",
      message: `reading ${from.url}/${key}: "${line.slice(0, 200)}" does not agree with manifest.json`,
      hint: "the mirror that is copied is damaged: look at it with `metalcast verify`",
    });
  }
  return [{ key, sizeBytes: bytes.byteLength, sha256: hashOf(bytes) }];
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
