import { mkdir, rm, symlink } from "node:fs/promises";
import { run } from "../../common/run.ts";

const directory = "/run/udev/rules.d";

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
 * those of an administrator in /etc stay.
 */
export async function withoutAutoAssembly<T>(work: () => Promise<T>): Promise<T> {
  const doing = "keeping udev from assembling what lies on the disks";
  await mkdir(directory, { recursive: true });
  const masks: string[] = [];
  try {
    for (const rule of rules) {
      const mask = `${directory}/${rule}`;
      if (await link(mask)) masks.push(mask);
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

/** A file of that name is somebody's own rule, or the mask of a run that was cut off. */
async function link(mask: string): Promise<boolean> {
  try {
    await symlink("/dev/null", mask);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}
