import type { Command, Step } from "../step.ts";
import { targetDevices } from "../storage/target-needs.ts";
import type { BootContext } from "./family.ts";

interface TargetWork {
  name: string;
  title: string;
  commands: readonly Command[];
  /** For the first command. */
  input?: string;
}

/** A step that runs the target's own programs, behind the fence: of the disks, they see those that are theirs. */
export function inTarget({ layout, target }: BootContext, work: TargetWork): Step {
  return { kind: "run-in-target", target, devices: targetDevices(layout), ...work };
}
