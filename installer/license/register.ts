import { asFailure, Failure } from "../../common/failure.ts";
import type { RunOptions } from "../../common/run.ts";
import { reveal } from "../../common/secret.ts";
import { findFile } from "../../common/tree-file.ts";
import { runFenced } from "../boot/fence.ts";
import { hideSecrets } from "../hide-secrets.ts";
import type { Step } from "../step.ts";
import type { License, LicenseName } from "./license.ts";
import { rhsm } from "./rhsm.ts";
import { suse } from "./suse.ts";
import { ubuntuPro } from "./ubuntu-pro.ts";

export type RegisterStep = Extract<Step, { kind: "register" }>;

interface RegisterOptions extends Pick<RunOptions, "signal"> {
  /** Gets each line that the program says, without secrets. */
  onLine: (line: string) => void;
}

/** Each request of subscription-manager's waits for three minutes. */
const longestMs = 15 * 60_000;
const longestUndoMs = 5 * 60_000;

const judges: Readonly<Record<LicenseName, License<never>["judge"]>> = {
  rhsm: rhsm.judge,
  suse: suse.judge,
  ubuntuPro: ubuntuPro.judge,
};

/**
 * The target's own program registers it, behind the fence and with the rescue system's network. What a failure, or an
 * interruption, has left half done is taken back.
 * @throws Failure `license-refused` (configuration), `license-server-unavailable` (retry), `license-failed` (failed), each with what
 *   the program said last; `image-registered` (configuration); `interrupted`
 */
export async function register(step: RegisterStep, { signal, onLine }: RegisterOptions): Promise<void> {
  const { target, command, input, secrets } = step;
  await refuseRegistered(step);
  const said: string[] = [];
  const tell = (line: string) => {
    const shown = hideSecrets(line, secrets);
    if (shown.trim() !== "") said.push(shown.trim());
    onLine(shown);
  };
  try {
    await runFenced(
      { target, devices: [], command, network: true },
      {
        doing: step.title,
        input: reveal(input),
        onLine: tell,
        shownAs: [programOf(step)],
        timeoutMs: longestMs,
        ...(signal && { signal }),
      },
    );
  } catch (error) {
    await undoRegistration(step, onLine);
    const failure = explain(error, step, said);
    if (step.onFailure === "fail" || failure.kind === "interrupted") throw failure;
    onLine(`${failure.message}; the job says to go on`);
  }
}

/** Taking that back would end another system's registration. */
async function refuseRegistered({ target, identity, title }: RegisterStep): Promise<void> {
  if ((await findFile(target, identity)) === undefined) return;
  throw new Failure({
    code: "image-registered",
    kind: "configuration",
    message: `${title}: the image is registered already, as it has ${identity}`,
    hint: "an image is for many servers: unregister it before it is published",
  });
}

/** Best effort: what it says, and what it cannot do, is told. */
export async function undoRegistration(step: RegisterStep, onLine: (line: string) => void): Promise<void> {
  const { target, undo, secrets } = step;
  const doing = "taking the registration back";
  const tell = (line: string) => onLine(hideSecrets(line, secrets));
  await runFenced(
    { target, devices: [], command: undo, network: true },
    { doing, onLine: tell, shownAs: [programOf(step)], timeoutMs: longestUndoMs },
  ).catch((error: unknown) => tell(asFailure(error, doing).message));
}

function programOf({ license }: RegisterStep): string {
  return { rhsm: "subscription-manager", ubuntuPro: "pro", suse: "SUSEConnect" }[license];
}

const codes = {
  configuration: "license-refused",
  retry: "license-server-unavailable",
  failed: "license-failed",
} as const;
const hints = {
  configuration: "correct `license` in the job (docs/license.md), and run it again",
  retry:
    "see that the rescue system reaches the license's server, if need be by `license.rhsm.proxy`, and run the job again",
  failed: "what it said is in the journal",
} as const;

function explain(error: unknown, step: RegisterStep, said: readonly string[]): Failure {
  const failure = asFailure(error, step.title);
  if (failure.code !== "command-failed" && failure.code !== "program-hangs") return failure;
  const exitCode = typeof failure.data.exitCode === "number" ? failure.data.exitCode : undefined;
  const kind = failure.code === "program-hangs" ? "retry" : judges[step.license](exitCode, said.join("\n"));
  const outcome = failure.code === "program-hangs" ? "it did not end in time" : `exit ${exitCode ?? "by a signal"}`;
  const words = said.slice(-3).join(" | ");
  return new Failure({
    code: codes[kind],
    kind,
    message: `${step.title}: ${programOf(step)} failed (${outcome})${words ? `: ${words}` : ""}`,
    hint: hints[kind],
    data: { exitCode },
  });
}
