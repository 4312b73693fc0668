import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Emit, reportOperation, reportStep } from "../common/event.ts";
import { examineTree, type TreeExamination } from "./families/examine-tree.ts";
import { describeImage } from "./formats/describe-image.ts";
import type { ImageDescription } from "./formats/disk-format.ts";
import { type Finding, judge, type Readiness, verdictOf } from "./inspect-findings.ts";
import { minimumDiskBytes } from "./minimum-disk.ts";
import { type ImageFile, openImage } from "./open-image.ts";
import { assertCanOpen } from "./requirements.ts";
import { listTree, unpackedSize } from "./tree.ts";
import { workFolder } from "./work-folder.ts";

/** Whether an image can run on metal, and why. */
export interface Inspection {
  path: string;
  description: ImageDescription;
  verdict: Readiness;
  findings: Finding[];
  system: TreeExamination;
}

/**
 * Opens an image read-only and judges it. Nothing of it is run, and nothing is left.
 * @throws Failure for an image that is refused as such: see `checkFormat`, `convertToDisk`, `mountTree`, `readArchive`
 */
export async function inspect(
  image: ImageFile,
  { emit, signal, work = workFolder() }: { emit: Emit; signal?: AbortSignal; work?: string },
): Promise<Inspection> {
  return reportOperation(emit, { operation: "inspection", subject: image.path }, async () => {
    await assertCanOpen(image.format);
    const description = await describeImage(image.path, image.format);
    await using scope = new AsyncDisposableStack();
    const scratch = await mkdtemp(join(work, "metalcast-"));
    scope.defer(() => rm(scratch, { recursive: true, force: true }));
    const { tree, disk } = scope.use(await openImage(image, { scratch, emit, signal }));
    return await reportStep(emit, { step: "examine", title: "Read what it holds" }, async () => {
      const system = await examineTree(tree);
      const unpackedBytes = unpackedSize(await listTree(tree));
      const findings = judge({ system, disk, unpackedBytes, minimumDiskBytes: minimumDiskBytes(unpackedBytes) });
      return { path: image.path, description, verdict: verdictOf(findings), findings, system };
    });
  });
}
