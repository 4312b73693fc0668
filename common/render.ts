import type { Writable } from "node:stream";
import type { Event } from "./event.ts";
import { printable } from "./printable.ts";
import { formatDuration, formatSize } from "./units.ts";

/** Shows a stream of events somewhere. All renderers see the same stream. */
export type Renderer = (event: Event) => void;

/** One JSON line an event, for machines. */
export function renderJson(output: Writable): Renderer {
  return (event) => output.write(`${JSON.stringify(event)}\n`);
}

/** Plain lines, for logs and pipes; progress at most once a second from each of several operations side by side. */
export function renderLines(output: Writable): Renderer {
  const lastProgressAt = new Map<string | undefined, number>();
  return (event) => {
    if (event.kind === "step-progress") {
      if (performance.now() - (lastProgressAt.get(event.scope) ?? Number.NEGATIVE_INFINITY) < 1000) return;
      lastProgressAt.set(event.scope, performance.now());
    }
    output.write(`${describe(event)}\n`);
  };
}

/** For a terminal: the running step's progress is redrawn in place, with a bar, the rate and the time left. */
export function renderTerminal(output: Writable & { columns?: number }): Renderer {
  return (event) => {
    const line = describe(event);
    const fitting = line.slice(0, Math.max((output.columns ?? 80) - 1, 20));
    output.write(event.kind === "step-progress" ? `\r\x1b[K${fitting}` : `\r\x1b[K${line}\n`);
  };
}

function describe(event: Event): string {
  return printable(
    event.scope === undefined ? describeAlone(event) : `${event.scope}: ${describeAlone(event).trimStart()}`,
  );
}

function describeAlone(event: Event): string {
  switch (event.kind) {
    case "operation-started":
      return `${event.operation} of ${event.subject}`;
    case "operation-finished":
      return `${event.operation} finished in ${formatDuration(event.durationMs)}`;
    case "operation-failed":
      return `${event.operation} failed after ${formatDuration(event.durationMs)}`;
    case "step-started":
      return `  ${event.title}`;
    case "step-progress":
      return describeProgress(event);
    case "step-finished":
      return `  ${event.step}: done in ${formatDuration(event.durationMs)}`;
    case "step-failed":
      return `  ${event.step}: failed (${event.failure.code})`;
    case "note":
      return `    ${event.text}`;
  }
}

function describeProgress({
  step,
  bytes,
  totalBytes,
  bytesPerSecond,
}: Extract<Event, { kind: "step-progress" }>): string {
  const rate = `${formatSize(bytesPerSecond)}/s`;
  if (!totalBytes) return `  ${step}: ${formatSize(bytes)}, ${rate}`;
  const share = Math.min(bytes / totalBytes, 1);
  const bar = "█".repeat(Math.round(share * 20)).padEnd(20, "░");
  const left = bytesPerSecond > 0 ? `, ${formatDuration(((totalBytes - bytes) / bytesPerSecond) * 1000)} left` : "";
  return `  ${step}: ${bar} ${Math.floor(share * 100)} % of ${formatSize(totalBytes)}, ${rate}${left}`;
}
