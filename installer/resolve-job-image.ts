import { openStore, type ResolvedImage, resolveImage } from "../mirror/index.ts";
import type { Job } from "./job.ts";

/**
 * Looks the job's image up in the job's mirror, for this machine's architecture. @throws Failure of `openStore` and
 * `resolveImage`
 */
export function resolveJobImage({ mirror, image }: Pick<Job, "mirror" | "image">): Promise<ResolvedImage> {
  return resolveImage(openStore(mirror), image, { arch: process.arch === "arm64" ? "arm64" : "amd64" });
}
