import { formatTable } from "../../common/table.ts";
import { formatDuration, formatSize } from "../../common/units.ts";
import type { SyncSummary } from "./sync.ts";
import type { Count } from "./tally.ts";

/** What a sync did, or would do, for people: a table of the images that it touched, and the sums. */
export function describeSynced(summary: SyncSummary): string {
  const { images, copied, copiedOnServer, skipped, deleted, dryRun, to, version, expires, pointerMoved, seconds } =
    summary;
  const touched = images.filter((image) => image.copied.objects > 0 || image.deleted.objects > 0);
  const rows = touched.map((image) => [image.name, image.arch, tell(image.copied), tell(image.deleted)]);
  const table = rows.length > 0 ? [formatTable(["image", "arch", "copied", "removed"], rows)] : [];
  const would = dryRun ? "would be " : "";
  const byServer = copiedOnServer.objects > 0 ? `, ${tell(copiedOnServer)} of them by the server` : "";
  const sums = `${would}copied ${tell(copied)}${byServer}, there already ${tell(skipped)}, ${would}removed ${tell(deleted)}`;
  const state = `statement ${version}${pointerMoved ? "" : ", as before"}, good until ${expires.slice(0, 16).replace("T", " ")} UTC`;
  return [...table, sums, `${to}: ${state}; ${formatDuration(seconds * 1000)}`].join("\n");
}

function tell({ objects, bytes }: Count): string {
  return objects === 0 ? "nothing" : `${objects} (${formatSize(bytes)})`;
}
