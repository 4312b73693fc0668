import { createHash } from "node:crypto";
import { access, mkdir, open, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Advance } from "../common/event.ts";
import { Failure } from "../common/failure.ts";
import { formatSize } from "../common/units.ts";
import type { Manifest } from "../mirror/manifest.ts";
import type { CatalogImage } from "./catalog.ts";
import { assertDigest, type Checksum, digestFile, findChecksum, formatChecksum, parseChecksum } from "./checksum.ts";

/** A vendor image on this machine whose checksum matched, and where it came from. */
export interface VendorImage {
  path: string;
  source: Manifest["source"];
}

export interface FetchOptions {
  /** Folder of verified downloads, by their checksums. */
  cache: string;
  maximumBytes?: number;
  signal?: AbortSignal;
  advance?: Advance;
}

const maximumListBytes = 2 ** 20;

/**
 * Brings the vendor's image here and verifies it, before any program reads a byte of it.
 * @throws Failure `download-failed` (retry), `download-too-large` (integrity), `checksum-missing` and
 *   `checksum-mismatch` (integrity)
 */
export async function fetchVendorImage({ source }: CatalogImage, options: FetchOptions): Promise<VendorImage> {
  const list: Uint8Array[] = [];
  for await (const chunk of download(source.checksums, maximumListBytes, options.signal)) list.push(chunk);
  const fileName = basename(new URL(source.url).pathname);
  const checksum = findChecksum(Buffer.concat(list).toString("utf8"), source.algorithm, fileName);
  const path = join(options.cache, `${checksum.algorithm}-${checksum.digest}`);
  if (await exists(path)) {
    assertDigest(path, checksum, await digestFile(path, checksum.algorithm, options));
  } else {
    await downloadVerified(source.url, checksum, path, options);
  }
  return { path, source: { url: source.url, checksum: formatChecksum(checksum), verifiedBy: "checksum-file" } };
}

/**
 * Verifies an image that lies on this machine already.
 * @param checksum as `sha512:DIGEST`
 * @throws Failure `source-missing` and `checksum-invalid` (configuration), `checksum-mismatch` (integrity)
 */
export async function verifyLocalImage(
  path: string,
  checksum: string,
  options: Pick<FetchOptions, "signal" | "advance"> = {},
): Promise<VendorImage> {
  const expected = parseChecksum(checksum);
  if (!(await exists(path))) {
    throw new Failure({
      code: "source-missing",
      kind: "configuration",
      message: `reading the vendor image ${path}: there is no such file`,
      hint: "look at the path after --source",
    });
  }
  assertDigest(path, expected, await digestFile(path, expected.algorithm, options));
  const source = { url: pathToFileURL(path).href, checksum: formatChecksum(expected) };
  return { path, source: { ...source, verifiedBy: "pinned-checksum" } };
}

/** Hashes while writing; the name appears in the cache only when the hash matched. */
async function downloadVerified(url: string, checksum: Checksum, path: string, options: FetchOptions): Promise<void> {
  const { cache, maximumBytes = 16 * 2 ** 30, signal, advance } = options;
  await mkdir(cache, { recursive: true });
  const partial = `${path}.${process.pid}.partial`;
  const hash = createHash(checksum.algorithm);
  try {
    await using file = await open(partial, "wx", 0o600);
    let bytes = 0;
    for await (const chunk of download(url, maximumBytes, signal)) {
      hash.update(chunk);
      await file.writeFile(chunk);
      bytes += chunk.length;
      advance?.(bytes);
    }
    assertDigest(url, checksum, hash.digest("hex"));
    await file.sync();
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
}

async function* download(url: string, maximumBytes: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  try {
    const response = await fetch(url, signal ? { signal } : {});
    if (!response.ok || !response.body) throw new Error(`the server answered ${response.status}`);
    for await (const chunk of response.body) {
      bytes += chunk.length;
      if (bytes > maximumBytes) throw tooLarge(url, maximumBytes);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof Failure || signal?.aborted) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new Failure({
      code: "download-failed",
      kind: "retry",
      message: `downloading ${url}: ${reason} (after ${formatSize(bytes)})`,
      hint: "try again, or download the file by hand and name it with --source and --checksum",
      data: { url, bytes },
      cause: error,
    });
  }
}

function tooLarge(url: string, maximumBytes: number): Failure {
  return new Failure({
    code: "download-too-large",
    kind: "integrity",
    message: `downloading ${url}: it is longer than the limit of ${formatSize(maximumBytes)}`,
    hint: "look at the URL in the catalog",
    data: { url, maximumBytes },
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
