import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";

/** A running server: its console, line by line, and its plug. */
export interface Machine extends AsyncDisposable {
  /** Every console line so far. */
  readonly lines: readonly string[];
  /** Settles when the machine is off, for whatever reason. */
  readonly exit: Promise<void>;
  /**
   * The first console line, past or future, that matches.
   * @throws Error when the machine goes off or the time ends before
   */
  waitForLine(pattern: RegExp, timeoutMs: number): Promise<string>;
  /**
   * Waits for a question on the console, which ends in no newline, and types the answer.
   * @throws Error when the machine goes off or the time ends before it is asked
   */
  answer(question: RegExp, text: string, timeoutMs: number): Promise<void>;
  /** Console lines as they come, until the machine is off. */
  watch(onLine: (line: string) => void): void;
  /** Stops its clock: it does nothing and notices nothing. For machines of one process, which QEMU's are. */
  pause(): void;
  resume(): void;
  /** Pulls the plug: what the machine had not yet written to its disks is lost. */
  cut(): Promise<void>;
}

export interface MachineProcess {
  name: string;
  program: string;
  args: readonly string[];
  /** Gets all that the console says. */
  logFile: string;
  env?: Record<string, string>;
}

/**
 * Starts the process that is a machine. It is not `run`: a machine outlives the call and is watched and killed while it
 * runs. The kernel kills it when this process ends, however that happens.
 */
export function startMachine({ name, program, args, logFile, env }: MachineProcess): Machine {
  const child = spawn("setpriv", ["--pdeathsig", "KILL", program, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  const lines: string[] = [];
  const watchers = new Set<(line: string) => void>();
  const listeners = new Set<() => void>();
  let recent = "";
  const log = createWriteStream(logFile, { flags: "a" });
  for (const stream of [child.stdout, child.stderr]) {
    stream.pipe(log, { end: false });
    stream.on("data", (chunk: Buffer) => {
      recent = (recent + chunk.toString("latin1")).slice(-4096);
      for (const listener of listeners) listener();
    });
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on("line", (line) => {
      lines.push(line);
      for (const watcher of watchers) watcher(line);
    });
  }
  const exit = ended(child).finally(() => log.end());
  const tail = () => `${name}, last lines of ${logFile}:\n${lines.slice(-15).join("\n")}`;
  const inTime = async <T>({ promise, reject }: PromiseWithResolvers<T>, what: string, timeoutMs: number) => {
    const timer = setTimeout(() => reject(new Error(`no ${what} within ${timeoutMs / 1000} s; ${tail()}`)), timeoutMs);
    const off = exit.then(() => Promise.reject(new Error(`went off before a ${what}; ${tail()}`)));
    return Promise.race([promise, off]).finally(() => clearTimeout(timer));
  };

  return {
    lines,
    exit,
    watch: (onLine) => watchers.add(onLine),
    async waitForLine(pattern, timeoutMs) {
      const seen = lines.find((line) => pattern.test(line));
      if (seen !== undefined) return seen;
      const found = Promise.withResolvers<string>();
      const watcher = (line: string) => pattern.test(line) && found.resolve(line);
      watchers.add(watcher);
      try {
        return await inTime(found, `console line ${pattern}`, timeoutMs);
      } finally {
        watchers.delete(watcher);
      }
    },
    async answer(question, text, timeoutMs) {
      const asked = Promise.withResolvers<void>();
      const listener = () => question.test(recent) && asked.resolve();
      listeners.add(listener);
      listener();
      try {
        await inTime(asked, `question ${question}`, timeoutMs);
      } finally {
        listeners.delete(listener);
      }
      // Where the machine is off by then, its exit tells.
      child.stdin.once("error", () => {});
      child.stdin.write(`${text}\n`);
    },
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    async cut() {
      child.kill("SIGKILL");
      await exit;
    },
    async [Symbol.asyncDispose]() {
      await this.cut();
    },
  };
}

function ended(child: ChildProcess): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  child.once("error", reject);
  // "close" comes after the last console line, "exit" may come before it.
  child.once("close", () => resolve());
  return promise;
}
