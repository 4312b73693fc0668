import type { Limit, Measurement, Series } from "../../mirror/index.ts";

/** What an item found. Whether that is enough, its limits say. */
export interface Findings {
  measurements: Measurement[];
  series?: Series[];
  /** What is wrong beyond limits, in words: "the kernel says ...". */
  problems?: string[];
}

/** What there is nothing to measure of, and why: "there is no bond". */
export interface Skipped {
  skipped: string;
}

export interface CheckContext {
  signal: AbortSignal;
  /** Fulfilled when no check of this run loads the machine any more. */
  loadEnded: Promise<void>;
  /** Bytes or seconds that are done, for who watches. */
  say: (text: string) => void;
}

/** One item of a qualification: one file in checks/. */
export interface Check<Settings> {
  name: string;
  title: string;
  /**
   * `load` runs while nothing else does that a check has started. `watch` only reads, and goes along with all others:
   * it begins before the first of them and may wait for the last.
   */
  kind: "load" | "watch";
  /** Without which it cannot be run. */
  programs: (settings: Settings) => readonly string[];
  /** @throws Failure where a program fails, or `interrupted` */
  run: (settings: Settings, context: CheckContext) => Promise<Findings | Skipped>;
}

interface Measured {
  subject?: string;
  unit?: string;
  min?: number | undefined;
  max?: number | undefined;
  oneOf?: readonly string[] | undefined;
}

/**
 * One thing measured, held against its limit where there is one.
 * @param found undefined: nothing tells it, which keeps no limit
 */
export function measure(name: string, found: number | string | undefined, about: Measured = {}): Measurement {
  const { subject, unit, min, max, oneOf } = about;
  const value = typeof found === "number" && !Number.isFinite(found) ? unknown : (found ?? unknown);
  const limit: Limit = {
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    ...(oneOf && { oneOf: [...oneOf] }),
  };
  return {
    name,
    ...(subject !== undefined && { subject }),
    value: typeof value === "number" ? round(value) : value,
    ...(unit !== undefined && typeof value === "number" && { unit }),
    ...(Object.keys(limit).length > 0 && { limit }),
    ok: isWithin(value, limit),
  };
}

const unknown = "unknown";

/** What is no number is within no limit of numbers. */
function isWithin(value: number | string, { min, max, oneOf }: Limit): boolean {
  if (oneOf) return oneOf.includes(String(value));
  if (min === undefined && max === undefined) return true;
  return typeof value === "number" && value >= (min ?? -Infinity) && value <= (max ?? Infinity);
}

function round(value: number): number {
  return Number(value.toPrecision(6));
}

/** What is wrong with a measurement, for people: "read-throughput of /srv is 12 MB/s, at least 50 expected". */
export function complain({ name, subject, value, unit, limit }: Measurement): string {
  const of = subject === undefined ? "" : ` of ${subject}`;
  const found = `${name}${of} is ${value === "" ? "empty" : value}${unit === undefined ? "" : ` ${unit}`}`;
  if (limit?.oneOf) return `${found}, not ${limit.oneOf.join(" or ")}`;
  const expected = [
    ...(limit?.min === undefined ? [] : [`at least ${limit.min}`]),
    ...(limit?.max === undefined ? [] : [`at most ${limit.max}`]),
  ];
  return `${found}, ${expected.join(" and ")} expected`;
}
