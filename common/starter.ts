import { readFileSync } from "node:fs";

/** In the environment of every program that `run` starts: who started it. */
export const starterVariable = "METALCAST_STARTER";

/** This process, by its number and, since numbers are given again, the time that it was started at: "PID:TICKS". */
export const ownStarter = `${process.pid}:${startTicks(readFileSync("/proc/self/stat", "utf8"))}`;

/**
 * When a process was started, in clock ticks since boot. proc_pid_stat(5): field 22; the name, which is field 2, may hold
 * any character, also parentheses.
 * @param stat the content of /proc/PID/stat
 */
export function startTicks(stat: string): string | undefined {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}
