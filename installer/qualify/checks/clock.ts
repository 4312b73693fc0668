import { setTimeout as delay } from "node:timers/promises";
import { run } from "../../../common/run.ts";
import { type Check, measure } from "../check.ts";
import type { Settings } from "../profile.ts";
import { readNumber } from "../system-file.ts";

/** The clock is kept by somebody, runs evenly, and agrees with the one that survives a power cut. */
export const clock: Check<Settings<"clock">> = {
  name: "clock",
  title: "watch the clock",
  kind: "watch",
  programs: () => ["timedatectl"],
  async run({ duration, synchronized, maxDriftPpm, maxRtcOffsetSeconds }, { signal, loadEnded }) {
    await loadEnded;
    const before = readBoth();
    await delay(duration * 1000, undefined, { signal });
    const after = readBoth();
    const elapsedMs = after.steadyMs - before.steadyMs;
    const drift = Math.abs(after.clockMs - before.clockMs - elapsedMs) / elapsedMs;
    const rtc = await readNumber("/sys/class/rtc/rtc0/since_epoch");
    const isKept = await isSynchronized(signal);
    return {
      measurements: [
        measure("synchronized", isKept, { oneOf: synchronized ? ["yes"] : undefined }),
        measure("drift", drift * 1e6, { unit: "ppm", max: maxDriftPpm }),
        ...(rtc === undefined
          ? [measure("hardware-clock", "none")]
          : [
              measure("hardware-clock-offset", Math.abs(Date.now() / 1000 - rtc), {
                unit: "s",
                max: maxRtcOffsetSeconds,
              }),
            ]),
      ],
    };
  },
};

const readBoth = () => ({ clockMs: Date.now(), steadyMs: performance.now() });

/** timedatectl(1): what the kernel was told by whoever keeps the clock, be it timesyncd, chrony or ntpd. */
async function isSynchronized(signal: AbortSignal): Promise<string> {
  const { stdout } = await run("timedatectl", ["show", "--property=NTPSynchronized", "--value"], {
    doing: "asking whether the clock is kept",
    signal,
    accept: [0, 1],
  });
  return stdout.trim() || "unknown";
}
