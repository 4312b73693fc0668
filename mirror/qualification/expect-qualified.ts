import { Failure } from "../../common/failure.ts";
import type { Channels } from "../channel.ts";
import { newestQualified, type QualifiedEntry, qualifiedOf } from "./entries.ts";

/**
 * On which of these a version has not passed, in words. It has passed where there is a report, and the newest one of
 * every profile says so.
 */
export function listUnqualified(
  channels: Channels | undefined,
  version: string,
  hardware: readonly string[],
): string[] {
  if (hardware.length === 0) return [];
  const entries = channels ? newestQualified(qualifiedOf(channels, version)) : [];
  return hardware.flatMap((wanted) => {
    const found = entries.filter((entry) => entry.hardware === wanted);
    const failed = found.filter(({ outcome }) => outcome === "failed");
    if (found.length > 0 && failed.length === 0) return [];
    return [found.length === 0 ? `${wanted} (no report)` : failed.map(describe).join(", ")];
  });
}

/**
 * That a version has passed on all of these.
 * @param doing for the message: "promoting debian-12@20261123.0 to stable"
 * @throws Failure `not-qualified` (refused)
 */
export function expectQualified(channels: Channels, version: string, hardware: readonly string[], doing: string): void {
  const lacking = listUnqualified(channels, version, hardware);
  if (lacking.length === 0) return;
  const entries = newestQualified(qualifiedOf(channels, version));
  const passed = entries.filter(({ outcome }) => outcome === "passed").map(describe);
  throw new Failure({
    code: "not-qualified",
    kind: "refused",
    message: `${doing}: not qualified on ${lacking.join(", ")}; it has passed on ${passed.join(", ") || "nothing yet"}`,
    hint: "run `metalcast qualify` on such a server, and keep its report with `metalcast qualified`",
    data: { hardware, qualified: entries },
  });
}

/** "Dell Inc. PowerEdge R640 (full, 2026-11-30)", "(full, failed 2026-11-30)". */
function describe({ hardware, profile, outcome, at }: QualifiedEntry): string {
  return `${hardware} (${profile}, ${outcome === "failed" ? "failed " : ""}${at.slice(0, 10)})`;
}
