import { formatTable } from "../../common/table.ts";
import { formatDuration, formatSize } from "../../common/units.ts";
import type { Arch } from "../../mirror/manifest.ts";
import type { Reason } from "./reasons.ts";

export type Stage = "check" | "build" | "publish" | "boot-test" | "promote" | "prune";

/** What became of one image. */
export interface ImageReport {
  name: string;
  arch: Arch;
  /** `due`: would be built, in a dry run. */
  outcome: "built" | "skipped" | "due" | "failed" | "interrupted";
  /** Why it was built or skipped; empty where the night ended before that was known. */
  reasons: readonly Reason[];
  /** The newest version that the channels of the nightly name, the one built this night included. */
  version?: string;
  /** What `stable` names now, where that is known. */
  stable?: string;
  /** `missing`: none is set up, so that the version stays in `candidate`. */
  bootTest: "passed" | "failed" | "missing" | "not-run";
  /** Servers on which the version has yet to pass before `stable` names it, in words. */
  unqualified?: readonly string[];
  pruned: { versions: number; freedBytes: number };
  failure?: { stage: Stage; code: string; message: string; hint?: string };
  /** The file with all that was said. */
  log: string;
  /** From the start of the night, with the wait for a place among the builds, to the image's end. */
  durationMs: number;
}

/** One night, for programs. */
export interface NightlySummary {
  formatVersion: 1;
  store: string;
  startedAt: string;
  durationMs: number;
  /** `failed`: at least one image did. */
  outcome: "ok" | "failed" | "interrupted";
  images: readonly ImageReport[];
}

/** The night for people: a table, and what to do about each failure. */
export function describeSummary({ images, durationMs, store, outcome }: NightlySummary): string {
  const rows = images.map((image) => [
    image.name,
    image.arch,
    tell(image),
    image.version ?? "-",
    image.stable ?? "-",
    image.reasons.map(({ text }) => text).join(", ") || "-",
    formatDuration(image.durationMs),
  ]);
  const table = formatTable(["image", "arch", "result", "version", "stable", "why", "after"], rows);
  const failures = images.flatMap(({ name, failure, log }) =>
    failure
      ? [`${name}: ${failure.message}`, ...(failure.hint ? [`  hint: ${failure.hint}`] : []), `  log: ${log}`]
      : [],
  );
  const freedBytes = images.reduce((sum, { pruned }) => sum + pruned.freedBytes, 0);
  const freed = freedBytes > 0 ? `, ${formatSize(freedBytes)} freed` : "";
  return [table, ...failures, `${store}: ${outcome} in ${formatDuration(durationMs)}${freed}`].join("\n");
}

function tell({ outcome, failure, bootTest, unqualified }: ImageReport): string {
  if (failure && outcome === "failed") return `failed: ${failure.stage}`;
  const tested = { passed: ["booted"], missing: ["not boot-tested"], failed: [], "not-run": [] }[bootTest];
  return [outcome, ...tested, ...(unqualified ? ["not qualified"] : [])].join(", ");
}
