import { Failure } from "../../common/failure.ts";
import { compareLinks } from "../disk-links.ts";
import { labelPath } from "../label-disk.ts";
import type { StackedDevice, Whole } from "./parse-stack.ts";
import { disksBelow, listLabels, type NamedDisk } from "./relations.ts";

/**
 * Arrays, volume groups and file systems, in use or not, that lie on these disks and on others too: the others' part
 * would be left without this one.
 * @throws Failure `storage-spans-other-disks` (refused)
 */
export function refuseSpans(stack: readonly StackedDevice[], disks: readonly NamedDisk[]): void {
  const names = disks.map(({ name }) => name);
  const spans = [...findWholes(stack)].flatMap(({ title, members }) => {
    const below = [...new Set(members.flatMap((member) => disksBelow(stack, member)))].sort();
    const foreign = below.filter((disk) => !names.includes(disk));
    if (foreign.length === 0 || foreign.length === below.length) return [];
    return [`${title} also lies on ${foreign.map((disk) => labelForeign(stack, disk)).join(", ")}`];
  });
  if (spans.length === 0) return;
  throw new Failure({
    code: "storage-spans-other-disks",
    kind: "refused",
    message: `refusing to wipe ${listLabels(disks)}: ${spans.join("; ")}`,
    hint: "choose those disks too, or none of them; `wipe: { held: take-apart }` wipes only the part on the chosen ones",
    data: { spans },
  });
}

function labelForeign(stack: readonly StackedDevice[], name: string): string {
  const [best = name] = stack.find((device) => device.name === name)?.links.toSorted(compareLinks) ?? [];
  return labelPath(best);
}

function findWholes(stack: readonly StackedDevice[]): Iterable<{ title: string; members: string[] }> {
  const wholes = new Map<string, { title: string; members: string[] }>();
  const add = (key: string, title: string, member: string) => {
    const whole = wholes.get(key) ?? { title, members: [] };
    whole.members.push(member);
    wholes.set(key, whole);
  };
  for (const { name, kind, partOf, mappingName } of stack) {
    for (const whole of partOf) add(`${whole.kind} ${whole.uuid}`, titleOf(whole), name);
    if (kind === "array") add(name, `array ${name}`, name);
    if (kind === "mapping" || kind === "bcache") add(name, `${name} (${mappingName ?? kind})`, name);
  }
  return wholes.values();
}

function titleOf({ kind, name }: Whole): string {
  return `${kind} ${name}`;
}
