import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { resolveInRoot } from "../../common/rooted-path.ts";
import { type RunOptions, run } from "../../common/run.ts";
import type { Step } from "../step.ts";
import { targetMounts } from "../target-mounts.ts";
import type { BootContext } from "./family.ts";
import { writeEsp } from "./write-esp.ts";

type FillEsp = Extract<Step, { kind: "fill-esp" }>;

/**
 * Until here the ESPs are empty, so that no firmware finds a loader of a system that is not whole yet: neither after a
 * failure nor after a power cut. The image's own files for the ESP were laid beneath its mount point.
 */
export function fillEspStep({ layout, target }: Pick<BootContext, "layout" | "target">): Step {
  const [first] = layout.esps;
  if (!first) throw new Error("the layout has no ESP");
  const title = `fill the ESP and mount it on ${first.mountPoint}`;
  return { kind: "fill-esp", name: "fill-esp", title, device: first.device, mountPoint: first.mountPoint, target };
}

/** Moves what lies beneath the mount point to the ESP and mounts that; on the disk when it returns. */
export async function fillEsp({ device, mountPoint, target }: FillEsp, options: RunOptions): Promise<void> {
  // An image's links lead out of no target.
  const place = await resolveInRoot(target, mountPoint, "follow");
  await mkdir(place, { recursive: true });
  // All that the loaders will need has to be there before they are. Of what could not be written, sync(2) tells nothing;
  // syncfs(2) does.
  await run("sync", ["--file-system", ...(await targetMounts(target))], options);
  await writeEsp(device, place, target, options);
  for (const name of await readdir(place)) await rm(join(place, name), { recursive: true });
  await run("mount", ["-t", "vfat", device, place], options);
}
