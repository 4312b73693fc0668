import { lstat, mkdir, open, rm } from "node:fs/promises";
import { relative } from "node:path";
import { Failure } from "../../common/failure.ts";
import { resolveInRoot } from "../../common/rooted-path.ts";
import { type RunOptions, run } from "../../common/run.ts";
import { formatDuration } from "../../common/units.ts";
import type { Command, Step } from "../step.ts";
import { targetMounts } from "../target-mounts.ts";
import { confinement, fenceScript, namespaces } from "./fence-script.ts";
import { limitProcesses } from "./process-limit.ts";
import { nodesAndLinks } from "./target-nodes.ts";

/** An initramfs that takes 10 s on a server took 5 min on an emulated one. */
const longestMs = 30 * 60_000;

/** What a talkative package manager says comes to some hundred KiB. */
const mostOutputBytes = 8 * 2 ** 20;

const environment = {
  PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C.UTF-8",
  HOME: "/root",
  DEBIAN_FRONTEND: "noninteractive",
  // systemctl(1) then only changes files: without it, it would look for a manager that is not there.
  SYSTEMD_OFFLINE: "1",
};

export interface FencedProgram {
  target: string;
  /** Devices that it may use, by their stable paths. */
  devices: readonly string[];
  command: Command;
  /** Whether it has the rescue system's network and its name servers. Default: no network at all. */
  network?: boolean;
  /**
   * Whether it keeps CAP_SYS_ADMIN: to read what the device mapper knows, or to write security labels. What that would open
   * besides is closed by a filter. Default: where the device mapper's own node is among `devices`.
   */
  administers?: boolean;
  /** Added to its environment, which has nothing of ours. */
  env?: Readonly<Record<string, string>>;
}

/** Where a script is found by the program that is to run it, if `runFenced` was given one as its `input`. */
export const scriptPath = "/run/metalcast/script";

/** `input` is the program's standard input; with `isScript`, it is what lies at `scriptPath`. */
export type FencedOptions = RunOptions & { isScript?: boolean };

type RunInTarget = Extract<Step, { kind: "run-in-target" }>;

/**
 * Runs the image's programs in the target, one after the other. The first gets the step's `input`, if there is one.
 * @throws Failure those of `runFenced`
 */
export async function runInTarget(
  { commands, input, ...place }: RunInTarget & Pick<FencedProgram, "administers">,
  options: RunOptions,
): Promise<void> {
  for (const [index, command] of commands.entries()) {
    const given = index === 0 && input !== undefined ? { input } : {};
    await runFenced({ ...place, command }, { ...options, ...given });
  }
}

/**
 * Runs one of the image's own programs behind the fence: docs/fence.md tells what it sees and what it may do. All that it
 * has mounted or left running vanishes with it.
 * @throws Failure `command-failed`; `program-hangs` (failed) after half an hour, or `timeoutMs`;
 *   `image-folder-invalid` (integrity) for an image that has a link where one of the kernel's file systems goes
 */
export async function runFenced(program: FencedProgram, { isScript, ...options }: FencedOptions): Promise<void> {
  const { target, devices, command, network = false, env } = program;
  const { administers = devices.includes("/dev/mapper/control") } = program;
  await prepareFolders(target, options.doing);
  await using limit = await limitProcesses();
  await using policy = await coverFile(target, "/usr/sbin/policy-rc.d");
  await using resolver = network ? await coverFile(target, "/etc/resolv.conf") : undefined;
  const mounts = await targetMounts(target);
  const settings = Object.entries({ ...environment, ...env }).map(([name, value]) => `${name}=${value}`);
  const inside = [...settings, ...confinement(administers), "chroot", ".", ...command];
  const { timeoutMs = longestMs } = options;
  await run("unshare", [...namespaces(network), "sh", "-c", fenceScript, "fence", ...inside], {
    ...options,
    timeoutMs,
    mostOutputBytes,
    env: {
      TARGET: target,
      GROUP: limit.directory,
      PLACES: mounts.filter((place) => !place.startsWith(`${target}-`)).join("\n"),
      NODES: (await nodesAndLinks(devices)).join("\n"),
      POLICY: policy?.place ?? "",
      RESOLVER: resolver?.place ?? "",
      SCRIPT: isScript ? "yes" : "",
    },
    killSignal: "SIGKILL",
    shownAs: options.shownAs ?? ["chroot", target, ...command],
  }).catch((error: unknown) => {
    throw error instanceof Failure && error.data.timedOut ? hangs(error, timeoutMs) : error;
  });
}

function hangs({ message, data }: Failure, timeoutMs: number): Failure {
  return new Failure({
    code: "program-hangs",
    kind: "failed",
    message: `${message}; it was ended after ${formatDuration(timeoutMs)}`,
    hint: "the image's program waits for something that it has not behind the fence, or the disks are very slow",
    data,
  });
}

/** A link in their place would lead mounts astray, onto the rescue system's own folders. */
async function prepareFolders(target: string, doing: string): Promise<void> {
  for (const name of ["dev", "proc", "sys", "run"]) {
    await mkdir(`${target}/${name}`).catch((error: unknown) => {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    });
    if ((await lstat(`${target}/${name}`)).isDirectory()) continue;
    throw new Failure({
      code: "image-folder-invalid",
      kind: "integrity",
      message: `${doing}: the image's /${name} is not a directory`,
      hint: "take another image: no system boots with that",
    });
  }
}

interface CoveredFile extends AsyncDisposable {
  /** Relative to the target, without links. */
  place: string;
}

/**
 * A file of the target that another one is mounted on. Where it has none, it gets an empty one for as long, which does no
 * harm if it stays: nothing runs a file without permission to. /run is in memory, and has it to itself.
 * @returns undefined where the target has no such folder
 */
async function coverFile(target: string, path: string): Promise<CoveredFile | undefined> {
  const resolved = await resolveInRoot(target, path, "follow");
  const place = relative(target, resolved);
  if (place.startsWith("run/")) return { place, [Symbol.asyncDispose]: async () => {} };
  const isMade = await open(resolved, "wx", 0o644).then(
    (file) => file.close().then(() => true),
    (error: unknown) => {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "EEXIST") return false;
      if (code === "ENOENT") return undefined;
      throw error;
    },
  );
  if (isMade === undefined) return undefined;
  return {
    place,
    [Symbol.asyncDispose]: async () => void (isMade && (await rm(resolved, { force: true }))),
  };
}
