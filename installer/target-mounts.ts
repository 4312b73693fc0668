import { readFile } from "node:fs/promises";

/** @returns the mount points of the target, and those beside it that steps use for a moment; the innermost first */
export async function targetMounts(target: string): Promise<string[]> {
  // proc_pid_mounts(5) lists them in the order in which they were made.
  const mounts = (await readFile("/proc/self/mounts", "utf8")).trim().split("\n");
  return mounts
    .map((line) => line.split(" ")[1] ?? "")
    .filter((path) => path === target || path.startsWith(`${target}/`) || path.startsWith(`${target}-`))
    .reverse();
}
