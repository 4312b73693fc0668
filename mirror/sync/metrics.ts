import { randomUUID } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import { Failure } from "../../common/failure.ts";
import type { Store } from "../store.ts";
import { readPointer } from "./pointer.ts";
import type { SyncSummary } from "./sync.ts";

interface Outcome {
  from: string;
  to: string;
  endedAt: Date;
  seconds: number;
  /** Undefined where the run failed. */
  summary?: SyncSummary;
  /** When readers of the target will not believe its pointer any more, where it has one. */
  expires?: Date | undefined;
}

type Metric = [name: string, help: string, value: number | undefined];

/** The text format of Prometheus, for the textfile collector of its node exporter. All are gauges. */
function formatMetrics({ from, to, endedAt, seconds, summary, expires }: Outcome): string {
  const metrics: Metric[] = [
    ["success", "Whether the last run succeeded.", summary ? 1 : 0],
    ["timestamp_seconds", "When the last run ended.", endedAt.getTime() / 1000],
    ["duration_seconds", "How long the last run took.", seconds],
    ["copied_objects", "Objects that the last run copied.", summary?.copied.objects],
    ["copied_bytes", "Bytes of these objects.", summary?.copied.bytes],
    ["copied_on_server_bytes", "Of these, bytes that the server copied by itself.", summary?.copiedOnServer.bytes],
    ["deleted_objects", "Objects that the last run removed.", summary?.deleted.objects],
    [
      "pointer_expires_timestamp_seconds",
      "When readers refuse the target unless it is synced anew.",
      expires && expires.getTime() / 1000,
    ],
  ];
  const labels = `{from="${escapeLabel(from)}",to="${escapeLabel(to)}"}`;
  return metrics
    .flatMap(([name, help, value]) => {
      const full = `metalcast_sync_${name}`;
      return value === undefined ? [] : [`# HELP ${full} ${help}`, `# TYPE ${full} gauge`, `${full}${labels} ${value}`];
    })
    .map((line) => `${line}\n`)
    .join("");
}

/** "Exposition formats", Text format: a label's value has backslash, quote and line feed escaped. */
function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

/**
 * Runs a sync and leaves its outcome in a file, whole or not at all. A run that found another one running leaves the
 * file to that one.
 * @throws Failure `metrics-unwritable` (configuration); what the sync throws
 */
export async function recordMetrics(
  path: string,
  { from, to }: { from: Store; to: Store },
  work: () => Promise<SyncSummary>,
): Promise<SyncSummary> {
  const startedAt = performance.now();
  const write = async (outcome: Pick<Outcome, "summary" | "expires">) => {
    const seconds = Math.round(performance.now() - startedAt) / 1000;
    await replaceFile(path, formatMetrics({ from: from.url, to: to.url, endedAt: new Date(), seconds, ...outcome }));
  };
  const summary = await work().catch(async (error: unknown) => {
    if (error instanceof Failure && error.code === "sync-running") throw error;
    const pointer = await readPointer(to).catch(() => undefined);
    // The sync's own failure is the one to be told.
    await write({ expires: pointer?.expires }).catch(() => undefined);
    throw error;
  });
  await write({ summary, expires: new Date(summary.expires) });
  return summary;
}

/** The collector takes every file that ends in `.prom`: an unfinished one does not. */
async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, text);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new Failure({
      code: "metrics-unwritable",
      kind: "configuration",
      message: `writing ${path}: ${error instanceof Error ? error.message : String(error)}`,
      hint: "name a file in a directory that exists and can be written to",
      cause: error,
    });
  }
}
