import { setTimeout as delay } from "node:timers/promises";
import type { Series } from "../../mirror/index.ts";

/** Of one series: longer runs are sampled less often. */
const mostPoints = 500;

/**
 * Takes samples while something goes on.
 * @param sample values by the name of their series
 * @param seconds how long it will go on, about
 */
export async function whileSampling<Result>(
  sample: () => Promise<Record<string, number>>,
  { unit, seconds, signal }: { unit: string; seconds: number; signal: AbortSignal },
  work: () => Promise<Result>,
): Promise<{ result: Result; series: Series[] }> {
  const points = new Map<string, [number, number][]>();
  const ended = new AbortController();
  const pauseMs = Math.max(1000, (seconds * 1000) / mostPoints);
  const startedAt = performance.now();
  const sampling = (async () => {
    while (!ended.signal.aborted) {
      const at = Number(((performance.now() - startedAt) / 1000).toFixed(1));
      for (const [name, value] of Object.entries(await sample())) {
        const series = points.get(name) ?? [];
        points.set(name, series);
        series.push([at, value]);
      }
      await delay(pauseMs, undefined, { signal: AbortSignal.any([ended.signal, signal]) }).catch(() => ended.abort());
    }
  })();
  try {
    const result = await work();
    return { result, series: [...points].map(([name, found]) => ({ name, unit, points: found })) };
  } finally {
    ended.abort();
    await sampling;
  }
}
