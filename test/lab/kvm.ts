import { readFile, rm, writeFile } from "node:fs/promises";
import { cached } from "./cache.ts";
import { startMachine } from "./machine.ts";
import { buildRescueSystem } from "./rescue-system.ts";

/**
 * Whether a kernel really boots under KVM here. That /dev/kvm exists says little: nested in some clouds an ordinary
 * kernel hangs under it. Asked once for each start of the host.
 */
export async function hasWorkingKvm(): Promise<boolean> {
  const hostStart = await readFile("/proc/sys/kernel/random/boot_id", "utf8");
  const answer = await cached("kvm", hostStart, async (path) =>
    writeFile(path, String(await bootsUnderKvm(`${path}.log`))),
  );
  return (await readFile(answer, "utf8")) === "true";
}

async function bootsUnderKvm(logFile: string): Promise<boolean> {
  const { kernel } = await buildRescueSystem();
  const machine = startMachine({
    name: "kvm probe",
    program: "qemu-system-x86_64",
    args: [
      ...[
        "-accel",
        "kvm",
        "-cpu",
        "host",
        "-m",
        "512M",
        "-nodefaults",
        "-display",
        "none",
        "-no-reboot",
        "-serial",
        "stdio",
      ],
      ...["-kernel", kernel, "-append", "console=ttyS0 panic=-1"],
    ],
    logFile,
  });
  try {
    // Without a root file system this is as far as a healthy kernel comes.
    await machine.waitForLine(/VFS: Unable to mount root fs/, 10_000);
    return true;
  } catch {
    return false;
  } finally {
    await machine.cut();
    await rm(logFile, { force: true });
  }
}
