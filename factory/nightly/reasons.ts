import { formatDuration } from "../../common/units.ts";
import type { Manifest } from "../../mirror/manifest.ts";

/** Why an image is built, or why not. */
export interface Reason {
  code:
    | "forced"
    | "never-published"
    | "vendor-changed"
    | "template-changed"
    | "recipe-changed"
    | "too-old"
    | "unchanged"
    | "file-needed";
  /** For people: "vendor image changed". */
  text: string;
}

/** What an image would be made of now. */
export interface Ingredients {
  /** Of the vendor image, as a manifest has it: `sha512:...`. */
  checksum: string;
  templateSha256: string;
  recipeSha256: string;
}

export interface ReasonOptions {
  now: Date;
  /** From this age on an image is built again for its packages' updates, which no checksum of ours shows. */
  maxAgeMs?: number | undefined;
  force?: boolean | undefined;
}

/**
 * All reasons to build an image again.
 * @param published the newest version that the nightly's channels name
 * @returns none where what is published is what a build would give
 */
export function findReasons(
  published: Pick<Manifest, "source" | "build"> | undefined,
  ingredients: Ingredients,
  { now, maxAgeMs, force }: ReasonOptions,
): Reason[] {
  const reasons: Reason[] = [];
  if (force) reasons.push({ code: "forced", text: "forced" });
  if (!published) return [...reasons, { code: "never-published", text: "never published" }];
  const { source, build } = published;
  if (source.checksum !== ingredients.checksum) reasons.push({ code: "vendor-changed", text: "vendor image changed" });
  if (build.templateSha256 !== ingredients.templateSha256) {
    reasons.push({ code: "template-changed", text: "template changed" });
  }
  if (build.recipeSha256 !== ingredients.recipeSha256) {
    reasons.push({ code: "recipe-changed", text: "package lists or other parts of the catalog entry changed" });
  }
  if (maxAgeMs !== undefined && now.getTime() - Date.parse(build.date) >= maxAgeMs) {
    reasons.push({ code: "too-old", text: `older than maxAge ${formatAge(maxAgeMs)}: security updates` });
  }
  return reasons;
}

function formatAge(milliseconds: number): string {
  const days = milliseconds / 86_400_000;
  return Number.isInteger(days) && days > 0 ? `${days}d` : formatDuration(milliseconds);
}
