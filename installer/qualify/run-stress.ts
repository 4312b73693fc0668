import { Failure } from "../../common/failure.ts";
import { run } from "../../common/run.ts";

/** For the stressors to come to their end after their time is over. */
const graceSeconds = 120;

/**
 * Runs stress-ng, which says by its exit code and in words where a result was wrong. stress-ng(1), EXIT STATUS: 2 is a
 * stressor that failed, 3 one that could not be started for want of a resource.
 * @returns operations a second, and what it complained of
 */
export async function runStress(
  args: readonly string[],
  { seconds, doing, signal }: { seconds: number; doing: string; signal: AbortSignal },
): Promise<{ operationsPerSecond: number | undefined; problems: string[] }> {
  const said: string[] = [];
  const options = ["--verify", "--metrics-brief", "--timeout", `${Math.ceil(seconds)}s`];
  const { exitCode } = await run("stress-ng", [...args, ...options], {
    doing,
    signal,
    timeoutMs: (seconds + graceSeconds) * 1000,
    accept: [0, 1, 2, 3, 4, 5],
    onLine: (line) => said.push(line),
    // Its files of shared memory and its temporary ones.
    cwd: "/tmp",
  }).catch((error: unknown) => {
    if (!(error instanceof Failure) || error.data.timedOut !== true) throw error;
    said.push(`stress-ng: fail: it did not end within ${graceSeconds} s after its time`);
    return { exitCode: 2 };
  });
  const { operationsPerSecond, complaints } = readStress(said);
  if (exitCode === 0 && complaints.length === 0) return { operationsPerSecond, problems: [] };
  return { operationsPerSecond, problems: [`stress-ng (exit ${exitCode}): ${complaints.slice(0, 3).join("; ")}`] };
}

/** The lines of stress-ng 0.11 and later: `stress-ng: fail:  [123] ...`, and its table of metrics. */
export function readStress(lines: readonly string[]): {
  operationsPerSecond: number | undefined;
  complaints: string[];
} {
  const complaints: string[] = [];
  let operationsPerSecond: number | undefined;
  for (const line of lines) {
    const [, kind = "", text = ""] = /^stress-ng: (\w+): +(?:\[\d+\] )?(.*)$/.exec(line) ?? [];
    if (kind === "fail" || kind === "error") complaints.push(text.trim());
    const row = /^(?:cpu|vm)\s+\d+\s+[\d.]+\s+[\d.]+\s+[\d.]+\s+([\d.]+)/.exec(text);
    if (row) operationsPerSecond = Number(row[1]);
  }
  return { operationsPerSecond, complaints };
}
