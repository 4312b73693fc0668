import { rm, writeFile } from "node:fs/promises";
import { Failure } from "../../common/failure.ts";
import { type RunOptions, run } from "../../common/run.ts";
import { reveal } from "../../common/secret.ts";
import { formatDuration } from "../../common/units.ts";
import { runFenced, scriptPath } from "../boot/fence.ts";
import { hideSecrets } from "../hide-secrets.ts";
import { runDirectory } from "../run-directory.ts";
import type { Command, Step } from "../step.ts";

type HookStep = Extract<Step, { kind: "hook" }>;

interface HookOptions extends Pick<RunOptions, "signal"> {
  /** Gets each line that the script says, without secrets. */
  onLine: (line: string) => void;
}

/**
 * Runs one of the user's scripts. What it leaves running or, in the rescue system, mounted ends with it.
 * @throws Failure `hook-failed` (failed) with what it said last, `hook-timeout` (failed), `interrupted`
 */
export async function runHook(step: HookStep, { signal, onLine }: HookOptions): Promise<void> {
  const { script, timeoutMs, secrets } = step;
  const options: RunOptions = {
    doing: `running the hook ${script.name}`,
    timeoutMs,
    shownAs: [script.name],
    onLine: (line) => onLine(hideSecrets(line, secrets)),
    ...(signal && { signal }),
  };
  try {
    await (step.where === "rescue" ? runInRescue(step, options) : runBehindFence(step, options));
  } catch (error) {
    throw error instanceof Failure && ["command-failed", "program-hangs"].includes(error.code)
      ? hookFailure(error, step)
      : error;
  }
}

/** unshare(1): the script and all that it starts end together. Its mounts are its own. */
async function runInRescue({ script, environment }: HookStep, options: RunOptions): Promise<void> {
  const path = `${runDirectory}/hook`;
  await rm(path, { force: true });
  await writeFile(path, reveal(script.content), { mode: 0o600, flag: "wx" });
  try {
    const namespaces = ["--mount", "--pid", "--mount-proc", "--fork", "--kill-child"];
    await run("unshare", [...namespaces, ...interpret(script, path)], {
      ...options,
      env: environment,
      cwd: "/",
      killSignal: "SIGKILL",
    });
  } finally {
    await rm(path, { force: true });
  }
}

async function runBehindFence(step: HookStep, options: RunOptions): Promise<void> {
  const { target, devices, network, environment, script } = step;
  const command = interpret(script, scriptPath);
  const program = { target, devices, network, env: environment, command };
  await runFenced(program, { ...options, input: reveal(script.content), isScript: true });
}

/**
 * As the kernel would (execve(2), interpreter scripts), but also from where nothing may be executed, which /run often is.
 * All that follows the interpreter is one argument.
 */
function interpret({ name, content }: HookStep["script"], path: string): Command {
  const [, program, argument] = /^#![ \t]*(\/\S*)[ \t]*([^\n]*?)[ \t\r]*(?:\n|$)/.exec(reveal(content)) ?? [];
  if (program === undefined) throw new Error(`${name} names no interpreter`);
  return argument ? [program, argument, path] : [program, path];
}

function hookFailure(failure: Failure, { script, secrets, timeoutMs, name }: HookStep): Failure {
  const { exitCode, signal, timedOut } = failure.data;
  const message = hideSecrets(failure.message, secrets);
  const data = { hook: script.name, step: name, exitCode, signal };
  if (!timedOut) {
    const hint = "what it said is in the journal; correct the script, and run the job again";
    return new Failure({ code: "hook-failed", kind: "failed", message, hint, data });
  }
  return new Failure({
    code: "hook-timeout",
    kind: "failed",
    message,
    hint: `its limit is ${formatDuration(timeoutMs)}: give it another \`timeout\` in the job`,
    data: { ...data, timeoutMs },
  });
}
