import { availableParallelism } from "node:os";
import { type Check, measure } from "../check.ts";
import type { Settings } from "../profile.ts";
import { runStress } from "../run-stress.ts";
import { whileSampling } from "../sampler.ts";
import { readFrequencies, readTemperatures, readThrottling } from "../sensors.ts";

/** All processors compute, and the results are checked; how warm and how quick they are meanwhile. */
export const compute: Check<Settings<"compute">> = {
  name: "compute",
  title: "compute on all processors, and check the results",
  kind: "load",
  programs: () => ["stress-ng"],
  async run({ duration, maxTemperature, maxThrottled, minFrequencyMhz }, { signal }) {
    const throttledBefore = await readThrottling();
    const count = availableParallelism();
    const options = { seconds: duration, signal };
    const stress = () => runStress(["--cpu", String(count), "--cpu-method", "all"], { ...options, doing: "computing" });
    const warm = await whileSampling(readTemperatures, { ...options, unit: "°C" }, () =>
      whileSampling(readFrequencies, { ...options, unit: "MHz" }, stress),
    );
    const { result, series: frequencies } = warm.result;
    const throttled = await readThrottling();
    return {
      problems: result.problems,
      series: [...warm.series, ...frequencies],
      measurements: [
        measure("processors", count),
        ...(result.operationsPerSecond === undefined
          ? []
          : [measure("operations", result.operationsPerSecond, { unit: "1/s" })]),
        ...warm.series.map(({ name, points }) =>
          measure("temperature-max", highest(points), { subject: name, unit: "°C", max: maxTemperature }),
        ),
        ...frequencies
          .filter(({ name }) => name === "slowest")
          .map(({ points }) =>
            measure("frequency-min", Math.min(...points.map(([, value]) => value)), {
              unit: "MHz",
              min: minFrequencyMhz,
            }),
          ),
        ...(throttled === undefined
          ? []
          : [measure("throttled", throttled - (throttledBefore ?? 0), { unit: "times", max: maxThrottled })]),
      ],
    };
  },
};

function highest(points: readonly (readonly [number, number])[]): number {
  return Math.max(...points.map(([, value]) => value));
}
