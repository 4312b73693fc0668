import type { Command } from "commander";
import type { Emit } from "./event.ts";
import { asFailure, exitCodes, type Failure } from "./failure.ts";
import { printable } from "./printable.ts";
import { type Renderer, renderJson, renderLines, renderTerminal } from "./render.ts";
import { observeCommands } from "./run.ts";

/** What a verb gets besides its own arguments and options. */
export interface Session {
  /** Progress and logs: to standard error, or to standard output as JSON lines with --json. */
  emit: Emit;
  /** The result: to standard output, as the text or, with --json, as the value. */
  print(value: unknown, text: string): void;
  /** Aborted by Ctrl-C or SIGTERM. */
  signal: AbortSignal;
}

/** One verb: it gets its options and its positional arguments (empty where it takes none). */
export type Verb<Options> = (session: Session, options: Options, first: string, second: string) => Promise<void>;

interface GlobalOptions {
  json?: boolean;
  verbose?: boolean;
  quiet?: boolean;
}

/** The options that every verb takes. */
export function addGlobalOptions(program: Command): Command {
  return program
    .option("--json", "results and events as JSON, one object a line")
    .option("-v, --verbose", "show every command that is run")
    .option("-q, --quiet", "no progress, only results and errors");
}

/** Makes a verb an action for commander, which calls it with itself as `this`. */
export function action<Options extends object>(verb: Verb<Options>) {
  return async function (this: Command): Promise<void> {
    const session = openSession(this.optsWithGlobals<GlobalOptions>());
    await verb(session, this.opts<Options>(), this.args[0] ?? "", this.args[1] ?? "");
  };
}

function openSession({ json, verbose, quiet }: GlobalOptions): Session {
  const interruption = new AbortController();
  // Not once(): execa's signal-exit ends the process itself when it finds no other listener left beside its own.
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => interruption.abort());
  if (verbose) observeCommands((command) => process.stderr.write(`+ ${printable(command)}\n`));
  return {
    emit: quiet ? () => {} : chooseRenderer(json),
    print: (value, text) => process.stdout.write(`${json ? JSON.stringify(value) : printable(text)}\n`),
    signal: interruption.signal,
  };
}

function chooseRenderer(json: boolean | undefined): Renderer {
  if (json) return renderJson(process.stdout);
  return process.stderr.isTTY ? renderTerminal(process.stderr) : renderLines(process.stderr);
}

/** Runs the command line and gives the exit code. Errors are one line that says what was being done, then a hint. */
export async function runCommandLine(program: Command, words: readonly string[]): Promise<number> {
  overrideExit(program);
  try {
    await program.parseAsync([...words], { from: "user" });
    return 0;
  } catch (error) {
    if (isCommanderExit(error)) return error.exitCode === 0 ? 0 : exitCodes.usage;
    const failure = asFailure(error, "metalcast");
    process.stderr.write(describe(failure, words));
    return failure.exitCode;
  }
}

function overrideExit(command: Command): void {
  command.exitOverride();
  command.commands.forEach(overrideExit);
}

function describe(failure: Failure, words: readonly string[]): string {
  const hint = failure.hint === undefined ? "" : `hint: ${failure.hint}\n`;
  const details = words.includes("-v") || words.includes("--verbose") ? `${failure.stack}\n` : "";
  return printable(`error: ${failure.message}\n${hint}${details}`);
}

function isCommanderExit(error: unknown): error is { exitCode: number } {
  return error instanceof Error && "code" in error && String(error.code).startsWith("commander.");
}
