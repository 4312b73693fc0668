import { Failure } from "../common/failure.ts";
import { openMirror, resolveImage } from "../mirror/index.ts";
import type { Job } from "./job.ts";
import type { OpenOwnImage, PlannableImage } from "./plannable-image.ts";

export interface ResolveOptions {
  /** For jobs that name an image of their own: `openOwnImage` of `metalcast/factory`. */
  openOwnImage?: OpenOwnImage;
  signal?: AbortSignal;
}

/**
 * Finds the job's image: a published one in the job's mirror, for this machine's architecture, or the user's own,
 * which stays open until the result is disposed of.
 * @throws Failure of `openMirror` and `resolveImage`, or of `openOwnImage`; `own-image-unsupported` (configuration)
 *   where a job names its own image and nothing was given to open it with
 */
export async function resolveJobImage(
  { mirror = "", mirrorRoot = "", image }: Pick<Job, "mirror" | "mirrorRoot" | "image">,
  { openOwnImage, signal }: ResolveOptions = {},
): Promise<PlannableImage & AsyncDisposable> {
  if (typeof image === "string") {
    const arch = process.arch === "arm64" ? "arm64" : "amd64";
    const store = openMirror(mirror, { root: mirrorRoot });
    const { manifest, prefix, manifestSha256 } = await resolveImage(store, image, { arch, ...(signal && { signal }) });
    const content = { kind: "published", mirror, prefix, manifestSha256 } as const;
    return { facts: manifest, content, [Symbol.asyncDispose]: async () => {} };
  }
  if (!openOwnImage) {
    throw new Failure({
      code: "own-image-unsupported",
      kind: "configuration",
      message: "opening the job's own image: this program only installs published images",
      hint: "use `metalcast install`, or give resolveJobImage the openOwnImage of metalcast/factory",
    });
  }
  const opened = await openOwnImage(image);
  const dispose = () => opened[Symbol.asyncDispose]();
  return { facts: opened.facts, content: { kind: "tree", path: opened.tree }, [Symbol.asyncDispose]: dispose };
}
