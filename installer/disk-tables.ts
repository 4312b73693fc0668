import { formatTable } from "../common/table.ts";
import { formatSize } from "../common/units.ts";
import type { Disk } from "./hardware.ts";
import type { DiskVerdict } from "./judge-disks.ts";
import type { DiskGroup } from "./select-disks.ts";

const head = ["disk", "now", "size", "model", "serial", "bus"];

function describe({ path, name, sizeBytes, model, serial, transport }: Disk): string[] {
  return [path, name, formatSize(sizeBytes), model, serial, transport];
}

/** What is there and what holds it, for people. */
export function formatDisks(disks: readonly Disk[]): string {
  const rows = disks.map((disk) => [...describe(disk), describeHolders(disk)]);
  return formatTable([...head, "held by"], rows);
}

function describeHolders({ heldBy, holdsRunningSystem, fault }: Disk): string {
  const words = [
    ...(holdsRunningSystem ? ["the running system"] : []),
    ...heldBy,
    ...(fault === undefined ? [] : [fault]),
  ];
  return words.join(", ") || "nothing";
}

/** What a job makes of each disk, for people. `groups`: what it takes; undefined where it cannot have what it wants. */
export function formatVerdicts(verdicts: readonly DiskVerdict[], groups: readonly DiskGroup[] | undefined): string {
  const rows = verdicts.map((verdict) => [...describe(verdict.disk), describeVerdict(verdict, groups)]);
  return formatTable([...head, "job"], rows);
}

function describeVerdict({ disk, groups: open, objection }: DiskVerdict, groups?: readonly DiskGroup[]): string {
  if (objection) return `no: ${objection.reason}`;
  const taken = groups?.find(({ disks }) => disks.includes(disk));
  const use = taken ? `taken for ${taken.name}` : `could be for ${open.join(" or ")}`;
  return disk.heldBy.length > 0 ? `${use}, after taking apart: ${disk.heldBy.join(", ")}` : use;
}
