import { availableParallelism } from "node:os";
import type { Measurement, Series } from "../../../mirror/index.ts";
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
        measure("operations", result.operationsPerSecond, { unit: "1/s" }),
        ...measureTemperatures(warm.series, maxTemperature),
        measure("frequency-min", slowest(frequencies), { unit: "MHz", min: minFrequencyMhz }),
        measure("throttled", difference(throttledBefore, throttled), { unit: "times", max: maxThrottled }),
      ],
    };
  },
};

/** The highest of each sensor; without any, one that is unknown. */
export function measureTemperatures(sensors: readonly Series[], max: number | undefined): Measurement[] {
  if (sensors.length === 0) return [measure("temperature-max", undefined, { unit: "°C", max })];
  return sensors.map(({ name, points }) =>
    measure("temperature-max", Math.max(...points.map(([, value]) => value)), { subject: name, unit: "°C", max }),
  );
}

function slowest(frequencies: readonly Series[]): number | undefined {
  const points = frequencies.find(({ name }) => name === "slowest")?.points;
  return points && Math.min(...points.map(([, value]) => value));
}

function difference(before: number | undefined, after: number | undefined): number | undefined {
  return before === undefined || after === undefined ? undefined : after - before;
}
