import { PassThrough, type Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { StringDecoder } from "node:string_decoder";
import { ExecaError, execa } from "execa";
import { Failure } from "./failure.ts";
import { missingPrograms, programFolders } from "./programs.ts";
import { ownStarter, starterVariable } from "./starter.ts";

export interface RunOptions {
  /** What the command is for, in words that follow "while": "creating the array root". */
  doing: string;
  /** Standard input, for data and for secrets: nothing secret goes into `args`. */
  input?: string | Uint8Array | AsyncIterable<Uint8Array>;
  /** In place of `input`: the number of an open file of this process, which the program shares. */
  openInput?: number;
  /** Added to the clean environment that every command gets. */
  env?: Record<string, string>;
  cwd?: string;
  signal?: AbortSignal;
  timeoutMs?: number;
  /**
   * What ends the program when it is interrupted or out of time. Default: SIGTERM, and SIGKILL 5 s later. For wrappers
   * such as `unshare --fork --kill-child`, which blocks SIGTERM (unshare(1)) and takes what it started along.
   */
  killSignal?: "SIGKILL";
  /** Each line of standard output and error as it comes. */
  onLine?: (line: string) => void;
  /**
   * Gets standard output as it comes, in place of `stdout` in the result. What it throws ends the program and is
   * thrown; where the program has failed by itself, that is thrown, with the consumer's error as its cause. That the
   * consumer is content does not make a failed program succeed.
   */
  consume?: (stdout: AsyncIterable<Uint8Array>) => Promise<void>;
  /** A program that says more on one of its streams is ended. Default: 64 MiB. */
  mostOutputBytes?: number;
  /** How to show the command where a wrapper would hide what matters. */
  shownAs?: readonly [string, ...string[]];
  /** Exit codes that are answers, not failures. Default: [0]. */
  accept?: readonly number[];
}

export interface RunResult {
  stdout: string;
  exitCode: number;
}

/** Called with every command before it runs, ready to paste into a shell. */
export type CommandObserver = (command: string) => void;
const observers = new Set<CommandObserver>();

/** Shows every command from now on, as `-v` does. @returns a function that ends it */
export function observeCommands(observer: CommandObserver): () => void {
  observers.add(observer);
  return () => observers.delete(observer);
}

/** A command as a person would type it. */
export function formatCommand(program: string, args: readonly string[]): string {
  return [program, ...args]
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(" ");
}

/** Child processes see this and nothing of our own environment, where credentials may lie. */
const cleanEnvironment = {
  PATH: programFolders.join(":"),
  LC_ALL: "C.UTF-8",
  HOME: "/root",
  DEBIAN_FRONTEND: "noninteractive",
  [starterVariable]: ownStarter,
};

/**
 * The one place that starts a process. No shell is involved.
 * @throws Failure `programs-missing` (configuration), `command-failed` (failed), `interrupted`
 */
export async function run(program: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  const { doing, input, openInput, env, cwd, signal, timeoutMs, killSignal, onLine, consume, accept = [0] } = options;
  const [shownProgram, ...shownArgs] = options.shownAs ?? [program, ...args];
  const command = formatCommand(shownProgram, shownArgs);
  for (const observer of observers) observer(command);
  const watch = onLine && (() => [watchLines(onLine)]);
  const streamed = input !== undefined && typeof input !== "string" && !(input instanceof Uint8Array);
  let feeding: Promise<void> | undefined;
  try {
    const child = execa(program, args, {
      env: { ...cleanEnvironment, ...env },
      extendEnv: false,
      maxBuffer: options.mostOutputBytes ?? 64 * 2 ** 20,
      ...(watch && { stdout: watch(), stderr: watch() }),
      ...(consume && { stdout: "pipe", buffer: { stdout: false } }),
      // Any number is fine (execa, "Input and output", file descriptors); its types have those up to 9.
      ...(input === undefined
        ? { stdin: (openInput as 3 | undefined) ?? "ignore" }
        : streamed
          ? { stdin: "pipe" }
          : { input }),
      ...(cwd === undefined ? {} : { cwd }),
      ...(signal === undefined ? {} : { cancelSignal: signal }),
      ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
      ...(killSignal && { killSignal }),
    });
    // A program that has said too much, and that nobody reads any more, need not end by itself.
    for (const stream of [child.stdout, child.stderr]) {
      stream?.once("close", () => {
        if (!stream.readableEnded) child.kill(killSignal);
      });
    }
    let isKilled = false;
    const kill = () => {
      // False for a program that has ended already.
      isKilled = child.kill("SIGKILL") || isKilled;
    };
    let sourceFailed = false;
    const giveUp = () => {
      sourceFailed = true;
      kill();
    };
    feeding = streamed && child.stdin ? feed(input, child.stdin, giveUp) : undefined;
    const consuming = consume && child.stdout ? drain(child.stdout, consume, kill) : undefined;
    // A program that has failed by itself does not wait for its source, which may have nothing more to say for ever.
    const ended = child.then(
      () => feeding,
      (error: unknown) => (sourceFailed ? feeding : Promise.reject(error)),
    );
    const fedOrFailed = Promise.race([feeding, ended]);
    const [fed, consumed, finished] = await Promise.allSettled([fedOrFailed, consuming, child]);
    if (fed.status === "rejected" && !(fed.reason instanceof ExecaError)) throw fed.reason;
    if (consumed.status === "rejected") {
      const own: unknown = finished.status === "rejected" && !isKilled ? finished.reason : undefined;
      if (!(own instanceof ExecaError) || isAnswer(own, accept)) throw consumed.reason;
      throw commandFailure(program, command, doing, own, consumed.reason);
    }
    const { stdout } = await child;
    return { stdout: String(stdout ?? ""), exitCode: 0 };
  } catch (error) {
    if (!(error instanceof ExecaError)) throw error;
    if (isAnswer(error, accept)) {
      await feeding;
      return { stdout: String(error.stdout), exitCode: error.exitCode };
    }
    throw commandFailure(program, command, doing, error, error);
  }
}

function isAnswer(error: ExecaError, accept: readonly number[]): error is ExecaError & { exitCode: number } {
  return !error.isCanceled && error.exitCode !== undefined && accept.includes(error.exitCode);
}

/** A line that does not end would be kept until it does: it is cut. */
const longestLine = 2 ** 16;

/** Passes a program's output on as it is, and tells its lines. */
function watchLines(onLine: (line: string) => void) {
  const decoder = new StringDecoder();
  let rest = "";
  const tell = (text: string) => {
    const lines = `${rest}${text}`.split(/\r?\n/);
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
    if (rest.length < longestLine) return;
    onLine(rest);
    rest = "";
  };
  return {
    binary: true,
    *transform(chunk: unknown) {
      if (chunk instanceof Uint8Array) tell(decoder.write(Buffer.from(chunk)));
      yield chunk;
    },
    *final() {
      tell(decoder.end());
      if (rest !== "") onLine(rest);
      yield* [];
    },
  };
}

/**
 * A source that fails must not look like one that has ended: the program is killed before it can take what it got for
 * the whole, and the source's failure is thrown. A program that stops reading is judged by its own exit.
 */
async function feed(source: AsyncIterable<Uint8Array>, stdin: Writable, kill: () => void): Promise<void> {
  let sourceFailure: { error: unknown } | undefined;
  const guarded = async function* () {
    try {
      yield* source;
    } catch (error) {
      sourceFailure = { error };
      kill();
      throw error;
    }
  };
  await pipeline(guarded(), stdin).catch(() => {});
  if (sourceFailure) throw sourceFailure.error;
}

/**
 * A program whose consumer has failed would wait for ever to write on. One whose output has ended is ending: how, is its
 * own to say.
 */
async function drain(
  stdout: Readable,
  consume: (stdout: AsyncIterable<Uint8Array>) => Promise<void>,
  kill: () => void,
): Promise<void> {
  // Output that nobody reads yet is thrown away, by execa after a moment and by Node when the program exits. A consumer
  // may have much to prepare before it reads.
  const held = new PassThrough();
  pipeline(stdout, held).catch(() => {});
  try {
    await consume(held);
  } catch (error) {
    if (!stdout.readableEnded) kill();
    throw error;
  } finally {
    // What a consumer leaves must not keep the program waiting.
    held.resume();
  }
}

function commandFailure(program: string, command: string, doing: string, error: ExecaError, cause: unknown): Failure {
  if (error.isCanceled) {
    return new Failure({ code: "interrupted", kind: "interrupted", message: `${doing}: interrupted`, cause });
  }
  if (error.code === "ENOENT") return missingPrograms([program], doing);
  const outcome = error.timedOut
    ? "ran out of time"
    : error.isMaxBuffer
      ? "said too much"
      : error.signal
        ? `ended by ${error.signal}`
        : `exit ${error.exitCode}`;
  const tail = String(error.stderr ?? "")
    .trim()
    .split("\n")
    .slice(-5)
    .join(" | ");
  return new Failure({
    code: "command-failed",
    kind: "failed",
    message: `${doing}: \`${command}\` failed (${outcome})${tail ? `: ${tail}` : ""}`,
    data: { command, exitCode: error.exitCode, signal: error.signal, timedOut: error.timedOut },
    cause,
  });
}
