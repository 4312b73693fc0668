import { Failure, type FailureKind } from "../common/failure.ts";
import { formatSize } from "../common/units.ts";
import { assignDisks } from "./disk-assignment.ts";
import { type DiskRequest, orderGroups } from "./disk-request.ts";
import type { Disk, Hardware } from "./hardware.ts";
import { type DisksOfJob, findObjection, type Objection, type Obstacle } from "./judge-disks.ts";

/** The disks that one group of the job gets, by stable path in order. */
export interface DiskGroup {
  name: string;
  disks: readonly Disk[];
}

/** What one group asks for, and what it makes of every disk. */
interface JudgedGroup {
  name: string;
  count: number;
  /** Where its hints stand in the job: `disks.match`. */
  field: string;
  candidates: Disk[];
  rejected: (Objection & { disk: Disk })[];
}

/**
 * The disks that each group of the job is to have: exactly `count` of them, no disk in two groups, the group "system"
 * first. Where more would do, the job has to say which, unless the groups' counts leave one choice only.
 * `minimumBytes`: what disks of the group "system" must hold.
 *
 * @throws Failure `disk-holds-running-system`, `disk-held`, `disk-duplicate` (refused); `disk-too-small`,
 *   `disk-read-only`, `disk-faulty`, `disk-unnamed`, `disks-too-few`, `disks-ambiguous` (configuration)
 */
export function selectDisks(job: DisksOfJob, hardware: Hardware, minimumBytes: number): DiskGroup[] {
  const named = orderGroups(job.disks);
  const groups = named.map(([name, request]) =>
    judgeGroup({ name, request }, named.length > 1, job, hardware, minimumBytes),
  );
  const assignment = assignDisks(groups);
  switch (assignment.outcome) {
    case "unique":
      return groups.map(({ name }, index) => ({ name, disks: assignment.groups[index] ?? [] }));
    case "ambiguous":
      throw ambiguous(groups, assignment.disks);
    case "impossible":
      throw tooFew(groups, assignment.missing);
  }
}

function judgeGroup(
  group: { name: string; request: DiskRequest },
  isOneOfSeveral: boolean,
  job: DisksOfJob,
  hardware: Hardware,
  minimumBytes: number,
): JudgedGroup {
  const candidates: Disk[] = [];
  const rejected: JudgedGroup["rejected"] = [];
  for (const disk of [...hardware.disks].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const objection = findObjection(disk, group, job, hardware, minimumBytes);
    if (objection) rejected.push({ disk, ...objection });
    else candidates.push(disk);
  }
  const field = isOneOfSeveral ? `disks.${group.name}.match` : "disks.match";
  return { name: group.name, count: group.request.count, field, candidates, rejected };
}

function ambiguous(groups: readonly JudgedGroup[], disks: readonly Disk[]): Failure {
  const fields = groups.filter(({ candidates }) => candidates.some((disk) => disks.includes(disk)));
  return new Failure({
    code: "disks-ambiguous",
    kind: "configuration",
    message: `choosing ${describeWishes(groups)}: ${disks.length} match: ${listDisks(disks.map(label))}`,
    hint: `narrow ${fields.map(({ field }) => field).join(" or ")}, for example by serial, or raise the count`,
    data: { disks: disks.map(({ path }) => path) },
  });
}

const refusals: readonly { obstacle: Obstacle; code: string; kind: FailureKind; hint: string }[] = [
  {
    obstacle: "running-system",
    code: "disk-holds-running-system",
    kind: "refused",
    hint: "name other disks in disks.match",
  },
  {
    obstacle: "held",
    code: "disk-held",
    kind: "refused",
    hint: "release the disk first (umount, swapoff, mdadm --stop, vgchange -an), write `wipe: { held: take-apart }`, or name other disks",
  },
  {
    obstacle: "duplicate",
    code: "disk-duplicate",
    kind: "refused",
    hint: "give the server one path to each disk (no multipath), or name other disks",
  },
  {
    obstacle: "faulty",
    code: "disk-faulty",
    kind: "configuration",
    hint: "replace the disk, or name other disks",
  },
  {
    obstacle: "too-small",
    code: "disk-too-small",
    kind: "configuration",
    hint: "use larger disks or a smaller image",
  },
  { obstacle: "read-only", code: "disk-read-only", kind: "configuration", hint: "lift the write protection" },
  {
    obstacle: "unnamed",
    code: "disk-unnamed",
    kind: "configuration",
    hint: "start udev; give a virtual disk a serial number",
  },
];

function tooFew(groups: readonly JudgedGroup[], missing: readonly number[]): Failure {
  const short = groups.find(({ candidates, count }) => candidates.length < count);
  if (!short) return tooFewTogether(groups, missing);
  const { rejected, candidates } = short;
  const refusal = refusals.find(({ obstacle }) => rejected.some((objection) => objection.obstacle === obstacle));
  // What a person may not expect comes before the disks that were not meant anyhow.
  const told = [...rejected].sort((a, b) => Number(a.obstacle === "no-match") - Number(b.obstacle === "no-match"));
  const list = listDisks(told.map(({ disk, reason }) => `${label(disk)}: ${reason}`)) || "there are no other disks";
  return new Failure({
    code: refusal?.code ?? "disks-too-few",
    kind: refusal?.kind ?? "configuration",
    message: `choosing ${describeWishes([short], groups.length > 1)}: ${candidates.length} can be used. ${list}`,
    hint: refusal?.hint ?? `\`metalcast disks\` lists what is there; lower the count or widen ${short.field}`,
    data: { rejected: rejected.map(({ disk: { path }, obstacle, reason }) => ({ path, obstacle, reason })) },
  });
}

/** Each group would find enough, were it not for the others. */
function tooFewTogether(groups: readonly JudgedGroup[], missing: readonly number[]): Failure {
  const lacking = groups.flatMap(({ name }, index) => (missing[index] ? [`${missing[index]} for ${name}`] : []));
  const shared = [...new Set(groups.flatMap(({ candidates }) => candidates))];
  return new Failure({
    code: "disks-too-few",
    kind: "configuration",
    message: `choosing ${describeWishes(groups)}: ${lacking.join(" and ")} too few. Together they can use ${listDisks(shared.map(label))}`,
    hint: "a disk can be in one group only: lower a count, or widen a group's match",
  });
}

function describeWishes(groups: readonly JudgedGroup[], isNamed = groups.length > 1): string {
  return groups.map(({ count, name }) => `${count} disk(s)${isNamed ? ` for ${name}` : ""}`).join(" and ");
}

const shownAtMost = 12;

/** An error is one line, and some servers have sixty disks. */
function listDisks(disks: readonly string[]): string {
  const more = disks.length - shownAtMost;
  const shown = disks.slice(0, shownAtMost).join("; ");
  return more > 0 ? `${shown}; and ${more} more` : shown;
}

function label({ path, sizeBytes }: Disk): string {
  return `${path} (${formatSize(sizeBytes)})`;
}
