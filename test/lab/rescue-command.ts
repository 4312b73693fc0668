import type { Machine } from "./machine.ts";

export interface CommandOptions {
  /** The command's own output, without the kernel's. */
  onLine?: (line: string) => void;
  timeoutMs: number;
  /** Cuts the power when it fires. */
  signal?: AbortSignal;
}

export interface CommandResult {
  lines: string[];
  /** Undefined where the power went off before the command ended. */
  exitCode: number | undefined;
}

/**
 * Follows the one command that a rescue system runs until the server is off (test/lab/rescue/start.sh marks both ends).
 *
 * @throws Error when the server is still on after the time limit; it is cut then
 */
export async function followCommand(machine: Machine, options: CommandOptions): Promise<CommandResult> {
  const { onLine, timeoutMs, signal } = options;
  const lines: string[] = [];
  let started = false;
  let exitCode: number | undefined;
  machine.watch((line) => {
    const ended = /^lab: command ended with (\d+)$/.exec(line);
    if (ended) exitCode = Number(ended[1]);
    else if (line === "lab: command started") started = true;
    else if (started && exitCode === undefined) {
      lines.push(line);
      onLine?.(line);
    }
  });
  let late = false;
  const cut = () => void machine.cut();
  const timer = setTimeout(() => {
    late = true;
    cut();
  }, timeoutMs);
  signal?.addEventListener("abort", cut, { once: true });
  if (signal?.aborted) cut();
  try {
    await machine.exit;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cut);
  }
  if (late) {
    throw new Error(
      `the rescue system did not end within ${timeoutMs / 1000} s:\n${machine.lines.slice(-20).join("\n")}`,
    );
  }
  // The marker stands on a line of its own, so the command's output is followed by an empty one.
  if (lines.at(-1) === "") lines.pop();
  return { lines, exitCode };
}
