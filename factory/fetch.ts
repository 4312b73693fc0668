import { access, mkdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Advance } from "../common/event.ts";
import { Failure } from "../common/failure.ts";
import { withLock } from "../common/file-lock.ts";
import type { Manifest } from "../mirror/manifest.ts";
import type { CatalogImage } from "./catalog.ts";
import { assertDigest, type Checksum, digestFile, findChecksum, formatChecksum, parseChecksum } from "./checksum.ts";
import { type DownloadLimits, downloadBytes, downloadFile } from "./download.ts";
import { verifySignature } from "./signature.ts";

/** A vendor image on this machine whose checksum matched, and where it came from. */
export interface VendorImage {
  path: string;
  source: Manifest["source"];
}

/** What the vendor says the image's checksum is, as `sha512:DIGEST`, and how that was found to be the vendor's word. */
export type VendorChecksum = Pick<VendorImage["source"], "checksum" | "verifiedBy" | "signedBy">;

export interface FetchOptions extends DownloadLimits {
  /** Folder of verified downloads, by their checksums. */
  cache: string;
  signal?: AbortSignal;
  advance?: Advance;
}

const maximumListBytes = 2 ** 20;

/**
 * Brings the vendor's image here and verifies it, before any program reads a byte of it. What an earlier run has left
 * of the download is used, and of two runs side by side one waits for the other.
 * @throws Failure, those of `findVendorChecksum` and `downloadFile`
 */
export async function fetchVendorImage(image: CatalogImage, options: FetchOptions): Promise<VendorImage> {
  const { cache, signal, advance } = options;
  const vendor = await findVendorChecksum(image, options);
  const url = sourceUrl(image);
  const checksum = parseChecksum(vendor.checksum);
  const path = join(cache, `${checksum.algorithm}-${checksum.digest}`);
  await mkdir(cache, { recursive: true });
  await withLock(
    `${path}.lock`,
    async () => {
      if ((await exists(path)) && (await digestFile(path, checksum.algorithm, options)) === checksum.digest) return;
      await downloadFile(url, checksum, path, { ...options, signal, advance });
    },
    { signal },
  );
  return { path, source: { url, ...vendor } };
}

/**
 * Looks up what the image's checksum is now, from the vendor's list and its signature, without the image itself.
 * @throws Failure `image-supplied` (configuration) for one that its users bring themselves, `checksum-missing`
 *   (integrity), those of `verifySignature` and `downloadBytes`
 */
export async function findVendorChecksum(
  { name, source, keyFolders }: CatalogImage,
  options: DownloadLimits & { signal?: AbortSignal } = {},
): Promise<VendorChecksum> {
  if (source.kind === "supplied") throw supplied(name, source.supplied);
  if (source.kind === "pinned") return { checksum: source.checksum, verifiedBy: "pinned-checksum" };
  const { url, checksums, algorithm, signature, key } = source;
  const get = (from: string) => downloadBytes(from, { ...options, maximumBytes: maximumListBytes });
  let bytes: Uint8Array = await get(checksums);
  if (signature !== undefined && key !== undefined) {
    const made = signature === "inline" ? signature : await get(signature);
    bytes = await verifySignature({
      url: checksums,
      bytes,
      signature: made,
      key,
      keyFolders,
      signal: options.signal,
    });
  }
  const list = Buffer.from(bytes).toString("utf8");
  const checksum = formatChecksum(findChecksum(list, algorithm, fileNameOf(url), fileNameOf(checksums)));
  return key === undefined
    ? { checksum, verifiedBy: "checksum-file" }
    : { checksum, verifiedBy: "signature", signedBy: key };
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
  const expected: Checksum = parseChecksum(checksum);
  const stats = await stat(path).catch(() => undefined);
  // A pipe may have nothing to say for ever.
  if (!stats?.isFile()) {
    throw new Failure({
      code: "source-missing",
      kind: "configuration",
      message: `reading the image ${path}: ${stats === undefined ? "there is no such file" : "it is not a regular file"}`,
      hint: "look at the path that was given",
    });
  }
  assertDigest(path, expected, await digestFile(path, expected.algorithm, options));
  const source = { url: pathToFileURL(path).href, checksum: formatChecksum(expected) };
  return { path, source: { ...source, verifiedBy: "pinned-checksum" } };
}

function fileNameOf(url: string): string {
  return basename(decodeURIComponent(new URL(url).pathname));
}

function sourceUrl({ name, source }: CatalogImage): string {
  if (source.kind === "supplied") throw supplied(name, source.supplied);
  return source.url;
}

function supplied(name: string, page: string): Failure {
  return new Failure({
    code: "image-supplied",
    kind: "configuration",
    message: `looking for the vendor image of ${name}: its vendor gives it to customers only`,
    hint: `get the file and its SHA-256 from ${page}, then add --source FILE --checksum sha256:DIGEST`,
    data: { name, page },
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
