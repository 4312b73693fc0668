import type { Machine } from "./machine.ts";

export interface CommandOptions {
  /** The command's own output, without the kernel's. */
  onLine?: (line: string) => void;
  /** The machine stands still while the promise, if it gives one for a line, is not settled (QEMU's machines alone). */
  holdAt?: (line: string) => Promise<void> | undefined;
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
  const { onLine, holdAt, timeoutMs, signal } = options;
  const lines: string[] = [];
  const held: Promise<void>[] = [];
  let holding = 0;
  const hold = async (work: Promise<void>) => {
    holding += 1;
    machine.pause();
    await work.finally(() => {
      holding -= 1;
      if (holding === 0) machine.resume();
    });
  };
  let started = false;
  let exitCode: number | undefined;
  machine.watch((line) => {
    const ended = /^lab: command ended with (\d+)$/.exec(line);
    if (ended) exitCode = Number(ended[1]);
    else if (line === "lab: command started") started = true;
    else if (started && exitCode === undefined) {
      lines.push(line);
      onLine?.(line);
      const work = holdAt?.(line);
      if (work) held.push(hold(work));
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
    await Promise.all(held);
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
