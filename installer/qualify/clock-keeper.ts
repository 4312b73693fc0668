import { isInstalled } from "../../common/programs.ts";
import { run } from "../../common/run.ts";

/** What the program that keeps the clock knows of it. */
export interface ClockKeeper {
  name: "chrony" | "systemd-timesyncd";
  /** How much the server's own oscillator is off, by which the clock is corrected all the time: ppm, with its sign. */
  frequencyPpm: number;
  /** How far the clock is from the time of its sources. Only chrony tells. */
  offsetMs?: number;
}

/** @returns undefined where neither chrony nor timesyncd keeps it */
export async function askClockKeeper(signal: AbortSignal): Promise<ClockKeeper | undefined> {
  const options = { doing: "asking who keeps the clock", signal, timeoutMs: 30_000, accept: [0, 1] };
  if (await isInstalled("chronyc")) {
    const chrony = readTracking((await run("chronyc", ["-c", "-n", "tracking"], options)).stdout);
    if (chrony) return chrony;
  }
  const args = ["show-timesync", "--property=Frequency", "--value"];
  return readTimesync((await run("timedatectl", args, options)).stdout);
}

/**
 * `chronyc -c tracking`, values without units (chrony, client.c, process_cmd_tracking): reference, its name, stratum, time
 * of the last measurement, offset of the clock in seconds, last offset, its mean, frequency in ppm, ..., leap status.
 */
export function readTracking(text: string): ClockKeeper | undefined {
  const fields = text.trim().split(",");
  const [offset, frequency] = [Number(fields[4]), Number(fields[7])];
  if (fields.length < 14 || fields[13] === "Not synchronised") return undefined;
  if (!Number.isFinite(offset) || !Number.isFinite(frequency)) return undefined;
  return { name: "chrony", frequencyPpm: frequency, offsetMs: offset * 1000 };
}

/** Of org.freedesktop.timesync1(5), as adjtimex(2) has it: in units of 2^-16 ppm. 0: nothing has been measured yet. */
export function readTimesync(text: string): ClockKeeper | undefined {
  if (!/^-?\d+\s*$/.test(text) || Number(text) === 0) return undefined;
  return { name: "systemd-timesyncd", frequencyPpm: Number(text) / 2 ** 16 };
}
