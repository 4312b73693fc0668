import { Command } from "commander";
import { vi } from "vitest";
import { addGlobalOptions, runCommandLine } from "../../common/command-line.ts";

const signals = ["SIGINT", "SIGTERM"] as const;

/** Runs one verb of the command line in this process, and gives what it says and how it ends. */
export async function runCommand(addVerb: (program: Command) => void, words: readonly string[]) {
  const said = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      said[name] += String(text);
      return true;
    }),
  );
  const program = addGlobalOptions(new Command("metalcast"));
  addVerb(program);
  const listeners = signals.map((signal) => process.listeners(signal));
  const exitCode = await runCommandLine(program, words);
  for (const spy of spies) spy.mockRestore();
  // Of a process that ends with its command there are no others.
  for (const [index, signal] of signals.entries()) {
    const added = process.listeners(signal).filter((listener) => !listeners[index]?.includes(listener));
    for (const listener of added) process.removeListener(signal, listener);
  }
  return { exitCode, ...said };
}
