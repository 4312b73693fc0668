import { resolveInRoot } from "../../common/rooted-path.ts";
import type { RunOptions } from "../../common/run.ts";
import type { Step } from "../step.ts";
import type { BootContext } from "./family.ts";
import { writeEsp } from "./write-esp.ts";

type CopyEsp = Extract<Step, { kind: "copy-esp" }>;

/**
 * Once the first ESP is complete, the others get what is on it. On the installed server a program does that; here it would
 * have to mount disks behind the fence.
 */
export function copyEspSteps({ layout, target }: Pick<BootContext, "layout" | "target">): Step[] {
  const [first, ...others] = layout.esps;
  if (!first || others.length === 0) return [];
  const title = `make ${layout.esps.length} ESPs equal`;
  const devices = others.map(({ device }) => device);
  return [{ kind: "copy-esp", name: "sync-esp", title, mountPoint: first.mountPoint, devices, target }];
}

/** The other ESPs are as empty as they were made. */
export async function copyEsp({ mountPoint, devices, target }: CopyEsp, options: RunOptions): Promise<void> {
  const source = await resolveInRoot(target, mountPoint, "follow");
  for (const device of devices) await writeEsp(device, source, target, options);
}
