import { Failure } from "./failure.ts";

const factors: Record<string, number> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/**
 * Reads a size such as `512 MiB`, `400GB` or `1048576` (bytes).
 * @returns bytes, a whole number
 * @throws Failure `size-invalid` (configuration)
 */
export function parseSize(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*$/.exec(text);
  const factor = match ? factors[match[2] || "B"] : undefined;
  if (!match || factor === undefined) {
    throw new Failure({
      code: "size-invalid",
      kind: "configuration",
      message: `"${text}" is not a size`,
      hint: `write a number and a unit: ${Object.keys(factors).join(", ")}`,
    });
  }
  return Math.round(Number(match[1]) * factor);
}

/** Bytes for people, in binary units: `1.5 GiB`. */
export function formatSize(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Milliseconds for people: `340 ms`, `12 s`, `3 min 05 s`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
}

const durationFactors: Record<string, number> = { s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Reads a duration such as `90 s`, `45min`, `12h` or `7d`.
 * @returns milliseconds, a whole number
 * @throws Failure `duration-invalid` (configuration)
 */
export function parseDuration(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/.exec(text);
  const unit = match?.[2] ?? "";
  if (match && Object.hasOwn(durationFactors, unit)) return Math.round(Number(match[1]) * (durationFactors[unit] ?? 0));
  throw new Failure({
    code: "duration-invalid",
    kind: "configuration",
    message: `"${text}" is not a duration`,
    hint: `write a number and a unit: ${Object.keys(durationFactors).join(", ")}`,
  });
}
