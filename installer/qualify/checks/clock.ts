import { setTimeout as delay } from "node:timers/promises";
import { run } from "../../../common/run.ts";
import { type Check, measure } from "../check.ts";
import { askClockKeeper } from "../clock-keeper.ts";
import type { Settings } from "../profile.ts";
import { readNumber } from "../system-file.ts";

/**
 * The clock is kept by somebody who need not correct it too much, is not set while it is watched, and agrees with the one
 * that survives a power cut. How evenly it runs, only its keeper knows: the kernel's other clocks are corrected with it.
 */
export const clock: Check<Settings<"clock">> = {
  name: "clock",
  title: "watch the clock",
  kind: "watch",
  programs: () => ["timedatectl"],
  async run({ duration, synchronized, maxStepMs, maxRtcOffsetSeconds, ...limits }, { signal, loadEnded }) {
    await loadEnded;
    const before = readBoth();
    await delay(duration * 1000, undefined, { signal });
    const after = readBoth();
    const stepMs = after.clockMs - before.clockMs - (after.steadyMs - before.steadyMs);
    const rtc = await readNumber("/sys/class/rtc/rtc0/since_epoch");
    const isKept = await isSynchronized(signal);
    const keeper = await askClockKeeper(signal);
    const [frequency, offset] = [keeper?.frequencyPpm, keeper?.offsetMs].map((value) => value && Math.abs(value));
    return {
      measurements: [
        measure("synchronized", isKept, { oneOf: synchronized ? ["yes"] : undefined }),
        measure("kept-by", keeper?.name),
        measure("step", Math.abs(stepMs), { unit: "ms", max: maxStepMs }),
        measure("frequency-error", frequency, { unit: "ppm", max: limits.maxFrequencyErrorPpm }),
        measure("offset", offset, { unit: "ms", max: limits.maxOffsetMs }),
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
