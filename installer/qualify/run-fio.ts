import { z } from "zod";
import { Failure } from "../../common/failure.ts";
import { parseJson } from "../../common/parse-json.ts";
import { run } from "../../common/run.ts";

const side = z.object({
  io_bytes: z.number(),
  bw_bytes: z.number(),
  iops: z.number(),
  clat_ns: z.object({ percentile: z.record(z.string(), z.number()).optional() }),
});

const fioSchema = z.object({
  jobs: z.array(z.object({ jobname: z.string(), error: z.number(), read: side, write: side })).min(1),
});

export interface Throughput {
  megabytesPerSecond: number;
  operationsPerSecond: number;
  /** The 99th percentile, from the request to its end. */
  latencyMs: number | undefined;
}

interface FioResult {
  read: Throughput;
  write: Throughput;
  /** An errno, where a request failed or what was read is not what was written. */
  error: number;
}

/**
 * Runs one job of fio. Where requests fail it ends with an error, and its JSON says which.
 * @param job as in a job file: `rw` -> `randread`
 */
export async function runFio(
  job: Readonly<Record<string, string | number>>,
  { doing, timeoutMs, signal }: { doing: string; timeoutMs: number; signal: AbortSignal },
): Promise<FioResult & { said: string }> {
  const said: string[] = [];
  const args = Object.entries(job).map(([key, value]) => `--${key}=${value}`);
  const { stdout } = await run("fio", ["--output-format=json", ...args], {
    doing,
    signal,
    timeoutMs,
    accept: [0, 1],
    onLine: (line) => line.startsWith("fio: ") && said.push(line),
  });
  return { ...readFio(stdout), said: said[0] ?? "" };
}

/** fio's documentation, "JSON output". Lines of complaint stand before it. */
export function readFio(text: string): FioResult {
  const parsed = fioSchema.safeParse(parseJson(text.slice(Math.max(0, text.search(/^\{/m)))));
  const job = parsed.data?.jobs[0];
  if (!job) {
    throw new Failure({ code: "output-unknown", kind: "failed", message: "reading what fio says: it is not as known" });
  }
  return { read: describe(job.read), write: describe(job.write), error: job.error };
}

function describe({ bw_bytes, iops, clat_ns }: z.infer<typeof side>): Throughput {
  const latencyNs = clat_ns.percentile?.["99.000000"];
  return {
    megabytesPerSecond: bw_bytes / 1e6,
    operationsPerSecond: iops,
    latencyMs: latencyNs === undefined ? undefined : latencyNs / 1e6,
  };
}
