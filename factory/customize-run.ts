import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Failure } from "../common/failure.ts";
import { type RunOptions, type RunResult, run } from "../common/run.ts";
import type { CatalogImage } from "./catalog.ts";
import { installPlugins } from "./customize-plugins.ts";
import { assembleTemplate, packerDirectory } from "./customize-template.ts";
import type { CustomizeWay } from "./customize-way.ts";
import { PackerProgress } from "./packer.ts";

/** What apt uses during the build, in place of the image's own; none of it stays in the image. */
export interface AptOverride {
  /** A file of package sources, whose name ends in .list or .sources. */
  sources?: string;
  /** A file of apt.conf(5). */
  configuration?: string;
}

/** The Red Hat subscription that packages come from during the build. */
export interface RhsmSubscription {
  organization: string;
  /** A file with the activation key alone. */
  activationKeyFile: string;
}

/** What every way takes. */
export interface CustomizeOptions {
  /** An empty folder for Packer's own state, which nobody else may read. */
  scratch: string;
  apt?: AptOverride;
  rhsm?: RhsmSubscription;
  /** Folder of the templates and scripts. */
  template?: string;
  signal?: AbortSignal;
  /** The scripts' output. */
  onText: (text: string) => void;
}

export interface PackerBuild extends CustomizeOptions {
  way: CustomizeWay;
  /** The way's own; none is secret, for all users of this machine see Packer's arguments. */
  variables: Record<string, string | number | readonly string[]>;
  env?: Record<string, string>;
  /** How Packer is started: so that it, and all that it starts, ends with us. */
  start?: (program: string, args: readonly string[], options: RunOptions) => Promise<RunResult>;
}

/**
 * Runs the family's provisioning scripts through Packer.
 * @throws Failure `customize-failed` (failed) with the failing script's last lines, `programs-missing`, `interrupted`
 */
export async function runPacker(image: CatalogImage, build: PackerBuild): Promise<void> {
  const { way, template = packerDirectory, signal, onText, rhsm, env, start = runContained } = build;
  const scratch = resolve(build.scratch);
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const assembled = join(scratch, "template");
  await assembleTemplate(way, template, assembled);
  const settings = {
    add_packages: image.packages.add,
    add_components: image.components,
    remove_packages: image.packages.remove,
    rhsm_organization: rhsm?.organization ?? "",
    ...build.variables,
  };
  const words = Object.entries(settings).map(([name, value]) => {
    return `-var=${name}=${typeof value === "object" ? JSON.stringify(value) : value}`;
  });
  const family = join(assembled, "families", `${image.family}.pkrvars.hcl`);
  const progress = new PackerProgress(onText);
  // Packer's sockets lie there, and a socket's path has room for 107 bytes (unix(7)): ours may be longer.
  const temporary = await mkdtemp(join(tmpdir(), "packer-"));
  const interruptible = signal ? { signal } : {};
  try {
    // The chroot way needs none.
    const plugins = way === "chroot" ? {} : await installPlugins(join(assembled, "plugins"), interruptible);
    await start("packer", ["build", "-machine-readable", `-var-file=${family}`, ...words, assembled], {
      doing: "customizing the image",
      env: { HOME: scratch, TMPDIR: temporary, CHECKPOINT_DISABLE: "1", ...plugins, ...env },
      cwd: scratch,
      onLine: progress.read,
      ...interruptible,
    });
  } catch (error) {
    throw error instanceof Failure && error.code === "command-failed" ? progress.failure(error) : error;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** In a process namespace of its own: a virtual machine does not outlive Packer, nor Packer us. */
function runContained(program: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  const contained = ["--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child", program, ...args];
  return run("setpriv", contained, { ...options, killSignal: "SIGKILL" });
}
