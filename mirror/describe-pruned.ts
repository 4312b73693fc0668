import { formatTable } from "../common/table.ts";
import { formatSize } from "../common/units.ts";
import type { PrunedVersion } from "./prune.ts";

/** What a prune did, or would do, for people: a table, and the bytes that it frees now and later. */
export function describePruned(pruned: readonly PrunedVersion[], dryRun: boolean): string {
  if (pruned.length === 0) return "every version stays";
  const rows = pruned.map((version) => [version.name, version.arch, version.version, tell(version), size([version])]);
  const now = size(pruned.filter(({ action }) => action === "remove"));
  const later = size(pruned.filter(({ action }) => action !== "remove"));
  const table = formatTable(["image", "arch", "version", "files", "size"], rows);
  return `${table}\n${dryRun ? "would free" : "freed"} ${now}; ${later} more later`;
}

function tell({ action, removableAt }: PrunedVersion): string {
  return action === "remove" ? "go now" : `go after ${removableAt.toISOString().slice(0, 16).replace("T", " ")}`;
}

function size(versions: readonly PrunedVersion[]): string {
  return formatSize(versions.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
}
