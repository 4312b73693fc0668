import { Failure } from "../../common/failure.ts";
import type { Disk } from "../hardware.ts";
import { labelDisk, labelDisks } from "../label-disk.ts";
import type { Step } from "../step.ts";
import type { StackedDevice } from "./parse-stack.ts";
import { disksBelow, listLabels, type NamedDisk } from "./relations.ts";
import type { Wipe } from "./settings.ts";
import { refuseSpans } from "./spans.ts";
import { takeApart } from "./take-apart.ts";
import { wipeDisk } from "./wipe-disk.ts";

/**
 * From disks with a past to blank ones: one step that takes apart what lies on them, where the job allows that, and one
 * for each disk. The actions in the steps are what would be done now: whoever runs a step looks again first.
 * @throws Failure `storage-spans-other-disks`, `disk-holds-running-system`, `disk-held` (refused),
 *   `wipe-depth-unsupported` (configuration)
 */
export function wipeSteps(disks: readonly Disk[], stack: readonly StackedDevice[], wipe: Wipe): Step[] {
  const ours = disks.map(({ name, path }) => ({ name, path }));
  if (wipe.held === "refuse") refuseSpans(stack, ours);
  const wipes = disks.map((disk): Step => {
    const { partitions, disk: table, depth } = wipeDisk(stack, disk, wipe);
    return {
      kind: "wipe",
      name: `wipe-${disks.indexOf(disk) + 1}`,
      title: `wipe ${labelDisk(disk)}`,
      disk: disk.path,
      wipe,
      actions: [...partitions, ...table, ...depth],
    };
  });
  const actions = takeApart(stack, ours);
  if (actions.length === 0) return wipes;
  if (wipe.held === "refuse") throw heldBy(stack, ours);
  const title = `take apart what lies on ${labelDisks(disks)}`;
  return [{ kind: "take-apart", name: "take-apart", title, disks: ours.map(({ path }) => path), actions }, ...wipes];
}

/** @returns Failure `disk-held` (refused) */
export function heldBy(stack: readonly StackedDevice[], disks: readonly NamedDisk[], cause?: Failure): Failure {
  const names = disks.map(({ name }) => name);
  const holders = stack
    .filter(({ name }) => disksBelow(stack, name).some((disk) => names.includes(disk)))
    .flatMap(({ name, kind, mountPoints, swaps, bcacheStop }) => [
      ...mountPoints.map((mountPoint) => `${name} is mounted on ${mountPoint}`),
      ...swaps.map((swap) => `${swap} is used as swap`),
      ...(["array", "mapping", "bcache"].includes(kind) ? [`${name} (${kind}) is active on it`] : []),
      ...(bcacheStop === undefined ? [] : [`${name} is held by bcache`]),
    ]);
  return new Failure({
    code: "disk-held",
    kind: "refused",
    message: `refusing to wipe ${listLabels(disks)}: ${holders.join(", ")}${cause ? ` (${cause.message})` : ""}`,
    hint: "release the disk first, or have the job do it with `wipe: { held: take-apart }`",
    data: { holders },
    cause,
  });
}
