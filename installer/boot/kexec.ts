import { spawn } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { asFailure } from "../../common/failure.ts";
import { resolveInRoot } from "../../common/rooted-path.ts";
import { type RunOptions, run } from "../../common/run.ts";
import type { Step } from "../step.ts";
import { readBootCommand } from "./boot-command.ts";

type LoadKernel = Extract<Step, { kind: "load-kernel" }>;

/**
 * Loads the target's kernel while it can still be read: kexec(8). A kernel that cannot be loaded, for want of the program
 * or since the running one allows none, is no failure: the server will start through its firmware.
 * @param tell what stood in the way
 */
export async function loadKernel({ target, kernel }: LoadKernel, options: RunOptions, tell: (text: string) => void) {
  try {
    const { kernel: image, initramfs, commandLine } = await readBootCommand(target, kernel);
    const place = await resolveInRoot(target, "/boot", "follow");
    const files = [`--initrd=${join(place, initramfs)}`, `--command-line=${commandLine}`];
    await run("kexec", ["--load", join(place, image), ...files], options);
  } catch (error) {
    options.signal?.throwIfAborted();
    tell(`${asFailure(error, options.doing).message}; the server will start through its firmware`);
  }
}

/**
 * Starts the loaded kernel, or the firmware where none is loaded. systemd ends the rescue system in good order; without
 * it, the kernel is started as soon as this process has ended, and has told of everything.
 */
export async function startKernel(options: RunOptions): Promise<void> {
  if (!(await isLoaded())) return void (await run("reboot", [], options));
  const hasSystemd = await stat("/run/systemd/system").then(
    () => true,
    () => false,
  );
  if (hasSystemd) return void (await run("systemctl", ["kexec"], options));
  const script = `tries=0
while [ "$tries" -lt 300 ] && kill -0 "$1" 2>/dev/null; do tries=$((tries + 1)); sleep 0.1; done
sync
exec kexec --exec`;
  spawn("sh", ["-c", script, "kexec", String(process.pid)], { detached: true, stdio: "ignore" }).unref();
}

/** After a failure: what would start a system that is not whole. */
export async function unloadKernel(doing: string): Promise<void> {
  if (await isLoaded()) await run("kexec", ["--unload"], { doing });
}

/** The kernel's own word: Documentation/ABI/testing/sysfs-kernel-kexec-kdump. */
async function isLoaded(): Promise<boolean> {
  return (await readFile("/sys/kernel/kexec_loaded", "utf8").catch(() => "0")).trim() === "1";
}
