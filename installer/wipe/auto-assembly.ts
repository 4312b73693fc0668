import { mkdir, readlink, rm, symlink } from "node:fs/promises";
import { run } from "../../common/run.ts";
import { runDirectory } from "../run-directory.ts";

const directory = "/run/udev/rules.d";

/**
 * What the masks lead to, which leads to /dev/null itself: so a mask that an installer left behind when it was killed is
 * told from one that an administrator made.
 */
const nothing = `${runDirectory}/no-rules`;

/** What assembles arrays, activates volume groups and registers bcache devices as udev sees them, by distribution. */
const rules = [
  "64-md-raid-assembly.rules",
  "65-md-incremental.rules",
  "69-bcache.rules",
  "69-dm-lvm.rules",
  "69-dm-lvm-metad.rules",
  "69-lvm.rules",
  "69-lvm-metad.rules",
];

/**
 * While it works, udev assembles nothing, neither what is being taken apart nor what an old superblock in the middle of
 * a new partition speaks of. Closing a device that was written to is an event, on which udev would start
 * again what has just been stopped. udev(7): a link to /dev/null in /run hides the rules of that name in /usr/lib;
 * those of an administrator, in /etc or in /run, stay.
 */
export async function withoutAutoAssembly<T>(work: () => Promise<T>): Promise<T> {
  const doing = "keeping udev from assembling what lies on the disks";
  await mkdir(directory, { recursive: true });
  await mkdir(runDirectory, { recursive: true });
  await link("/dev/null", nothing);
  const masks: string[] = [];
  try {
    for (const rule of rules) {
      const mask = `${directory}/${rule}`;
      if (await link(nothing, mask)) masks.push(mask);
    }
    await run("udevadm", ["control", "--reload"], { doing });
    const result = await work();
    // Events that are still queued must not find the rules back.
    await run("udevadm", ["settle"], { doing });
    return result;
  } finally {
    for (const mask of masks) await rm(mask, { force: true });
    await run("udevadm", ["control", "--reload"], { doing });
  }
}

/** @returns whether the link is ours, made now or by a run that was cut off; what else has that name stays */
async function link(target: string, path: string): Promise<boolean> {
  try {
    await symlink(target, path);
    return true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    return (await readlink(path).catch(() => undefined)) === target;
  }
}
