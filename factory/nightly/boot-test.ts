import { run } from "../../common/run.ts";
import type { Arch } from "../../mirror/manifest.ts";

/** A published version that is to be installed and booted. */
export interface BootSubject {
  /** URL of the mirror. */
  store: string;
  /** `debian-12@20261123.0` */
  reference: string;
  arch: Arch;
  /** Takes a line of output into the image's log. */
  say: (text: string) => void;
}

/** Settled once the subject was installed and has booted; what it throws is why it was not. */
export type BootTest = (subject: BootSubject, signal: AbortSignal) => Promise<void>;

export interface BootTestCommand {
  /** A program and its arguments; the store's URL, the reference and the architecture follow them. */
  command: readonly [string, ...string[]];
  timeoutMs: number;
  /** Names of variables of our own environment that the command gets. It gets no others. */
  environment: readonly string[];
  /** Where the command runs. */
  directory: string;
  /** The file of the mirror's root; the command gets its name in METALCAST_ROOT. */
  root: string;
}

/**
 * A command as boot test: exit code 0 says that the image booted.
 * @throws Failure, those of `run`
 */
export function bootTestByCommand({ command, timeoutMs, environment, directory, root }: BootTestCommand): BootTest {
  return async ({ store, reference, arch, say }, signal) => {
    const [program, ...args] = command;
    const named = Object.fromEntries(environment.flatMap((name) => pair(name, process.env[name])));
    const env = { ...named, METALCAST_ROOT: root };
    await run(program, [...args, store, reference, arch], {
      doing: `boot-testing ${reference}`,
      cwd: directory,
      env,
      timeoutMs,
      signal,
      onLine: say,
    });
  };
}

function pair(name: string, value: string | undefined): [string, string][] {
  return value === undefined ? [] : [[name, value]];
}
