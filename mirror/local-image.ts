import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "../common/failure.ts";
import { type Manifest, parseManifest } from "./manifest.ts";

export interface LocalFile {
  /** File name, and the last part of its key. */
  name: string;
  path: string;
  sizeBytes: number;
  sha256: string;
}

/** What the factory leaves in a directory: the manifest, and the files that go before it, the largest first. */
export interface LocalImage {
  manifest: Manifest;
  manifestFile: LocalFile;
  files: LocalFile[];
}

/**
 * Reads the manifest of a directory and holds names, sizes and SHA256SUMS against it. The files' own content is hashed
 * on its way out (readVerified), so that it is read once.
 * @throws Failure `image-incomplete` (configuration), `manifest-invalid`, `checksums-mismatch`, `file-size-mismatch`
 *   (integrity)
 */
export async function readLocalImage(directory: string): Promise<LocalImage> {
  const manifestFile = await describeSmall(directory, "manifest.json");
  const checksums = await describeSmall(directory, "SHA256SUMS");
  const manifest = parseManifest(manifestFile.bytes, manifestFile.path);
  const files = manifest.files.map(({ path: name, sizeBytes, sha256 }) => ({
    name,
    path: join(directory, name),
    sizeBytes,
    sha256,
  }));
  for (const file of files) await expectSize(file);
  if (!files.some(({ name }) => name === "SHA256SUMS")) {
    expectChecksums(checksums, [manifestFile, ...files]);
    files.push(checksums);
  }
  return { manifest, manifestFile, files: files.sort((a, b) => b.sizeBytes - a.sizeBytes) };
}

/**
 * A local file's bytes; throws before its end if they are not what they should be, so that a store never completes the
 * object.
 * @throws Failure `file-hash-mismatch`, `file-size-mismatch` (integrity)
 */
export async function* readVerified(
  file: LocalFile,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array, void> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of createReadStream(file.path, { highWaterMark: 2 ** 20 })) {
    if (!(chunk instanceof Uint8Array)) continue;
    sizeBytes += chunk.byteLength;
    if (sizeBytes > file.sizeBytes) throw sizeMismatch(file, sizeBytes);
    hash.update(chunk);
    onBytes(chunk.byteLength);
    yield chunk;
  }
  if (sizeBytes !== file.sizeBytes) throw sizeMismatch(file, sizeBytes);
  const found = hash.digest("hex");
  if (found !== file.sha256) {
    throw new Failure({
      code: "file-hash-mismatch",
      kind: "integrity",
      message: `reading ${file.path}: its SHA-256 is ${found}, the manifest says ${file.sha256}`,
      hint: "the file was changed after it was built: build the image again",
      data: { expected: file.sha256, found },
    });
  }
}

async function describeSmall(directory: string, name: string): Promise<LocalFile & { bytes: Buffer }> {
  const path = join(directory, name);
  const bytes = await readFile(path).catch((error: unknown) => {
    throw incomplete(path, error);
  });
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { name, path, sizeBytes: bytes.byteLength, sha256, bytes };
}

async function expectSize(file: LocalFile): Promise<void> {
  const { size } = await stat(file.path).catch((error: unknown) => {
    throw incomplete(file.path, error);
  });
  if (size !== file.sizeBytes) throw sizeMismatch(file, size);
}

/** Lines as sha256sum(1) writes them. Files that no line names are covered by the manifest alone. */
function expectChecksums({ path, bytes }: LocalFile & { bytes: Buffer }, files: readonly LocalFile[]): void {
  for (const line of bytes.toString("utf8").split("\n").filter(Boolean)) {
    const [, sha256, name] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? [];
    const file = files.find((candidate) => candidate.name === name);
    if (file && file.sha256 === sha256) continue;
    throw new Failure({
      code: "checksums-mismatch",
      kind: "integrity",
      message: `reading ${path}: "${line.slice(0, 200)}" does not agree with manifest.json`,
      hint: "manifest and checksums are of different builds: build the image again",
    });
  }
}

function incomplete(path: string, cause: unknown): Failure {
  return new Failure({
    code: "image-incomplete",
    kind: "configuration",
    message: `reading ${path}: ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: "name a directory that `metalcast build` has made",
    cause,
  });
}

function sizeMismatch({ path, sizeBytes }: LocalFile, found: number): Failure {
  return new Failure({
    code: "file-size-mismatch",
    kind: "integrity",
    message: `reading ${path}: it has ${found} bytes, the manifest says ${sizeBytes}`,
    hint: "the file was changed after it was built: build the image again",
    data: { expected: sizeBytes, found },
  });
}
