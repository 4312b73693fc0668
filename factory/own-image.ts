import { mkdtemp, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Emit, note, reportStep } from "../common/event.ts";
import { Failure } from "../common/failure.ts";
import type { ImageFacts } from "../mirror/manifest.ts";
import { declaredFormat } from "./declared-format.ts";
import { downloadFile } from "./download.ts";
import { readFacts } from "./facts.ts";
import { verifyLocalImage } from "./fetch.ts";
import { judgeMetalFitness } from "./metal-fitness.ts";
import { minimumDiskBytes } from "./minimum-disk.ts";
import { openImage } from "./open-image.ts";
import { assertCanOpen } from "./requirements.ts";
import { listTree, unpackedSize } from "./tree.ts";
import { workFolder } from "./work-folder.ts";

/** An image that its user names by a file or an address: "bring your own image". */
export interface OwnImageReference {
  file?: string | undefined;
  url?: string | undefined;
  /** Of the file as it lies there, in hexadecimal. */
  sha256: string;
  /** Default: as the name says. */
  format?: string | undefined;
}

export interface OwnImageOptions {
  emit: Emit;
  signal?: AbortSignal;
  /** Where the disk is unpacked, with room for all that the image holds. Default: METALCAST_WORK, or /var/tmp. */
  work?: string;
}

/**
 * Verifies an image of the user's own, opens it read-only and reads what it is. The tree is there until the result is
 * disposed of; then nothing is left.
 * @throws Failure `format-undeclared`, `image-unfit` (configuration), `checksum-mismatch` (integrity), those of
 *   `openImage` and `readFacts`
 */
export async function openOwnImage(
  reference: OwnImageReference,
  { emit, signal, work = workFolder() }: OwnImageOptions,
): Promise<AsyncDisposable & { facts: ImageFacts; tree: string }> {
  const name = basename(reference.file ?? new URL(reference.url ?? "").pathname);
  const format = declaredFormat(name, reference.format);
  await assertCanOpen(format);
  await using scope = new AsyncDisposableStack();
  const scratch = await mkdtemp(join(work, "metalcast-"));
  scope.defer(() => rm(scratch, { recursive: true, force: true }));
  const path = await reportStep(emit, { step: "fetch-image", title: `Verify ${name}` }, (advance) =>
    obtain(reference, join(scratch, "vendor"), { advance, ...(signal && { signal }) }),
  );
  const opened = scope.use(await openImage({ path, format }, { scratch, emit, signal }));
  const facts = await reportStep(emit, { step: "read-image", title: "Read what it holds" }, async () => {
    const unpackedBytes = unpackedSize(await listTree(opened.tree));
    const found = await readFacts(opened.tree);
    const { defects, doubts } = await judgeMetalFitness(opened.tree, found);
    if (defects.length > 0) throw imageUnfit(name, defects);
    for (const doubt of doubts) note(emit, `${name}: ${doubt}`);
    const license = found.osRelease.ID === "rhel" ? ("rhsm" as const) : ("none" as const);
    const version = `sha256-${reference.sha256.slice(0, 12)}`;
    return { ...found, name, version, license, unpackedBytes, minimumDiskBytes: minimumDiskBytes(unpackedBytes) };
  });
  const held = scope.move();
  return { facts, tree: opened.tree, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

function imageUnfit(name: string, defects: readonly string[]): Failure {
  return new Failure({
    code: "image-unfit",
    kind: "configuration",
    message: `reading ${name}: ${defects.join("; ")}`,
    hint: "change that in the image, or make it ready with `metalcast build`; `metalcast inspect FILE` tells all that it lacks",
    data: { defects },
  });
}

async function obtain(
  { file, url, sha256 }: OwnImageReference,
  destination: string,
  options: Parameters<typeof verifyLocalImage>[2] & {},
): Promise<string> {
  if (file !== undefined) return (await verifyLocalImage(file, `sha256:${sha256}`, options)).path;
  await downloadFile(url ?? "", { algorithm: "sha256", digest: sha256 }, destination, options);
  return destination;
}
