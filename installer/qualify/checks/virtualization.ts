import { access, mkdtemp, rm, writeFile } from "node:fs/promises";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { Failure } from "../../../common/failure.ts";
import { run } from "../../../common/run.ts";
import { type Check, type CheckContext, type Findings, measure, type Skipped } from "../check.ts";
import { buildGuestInitramfs, guestLine } from "../guest-initramfs.ts";
import type { Settings } from "../profile.ts";
import { listFolder, readWord } from "../system-file.ts";

/** Debian's, and where EL has it, which no folder for programs has. */
const emulators = ["/usr/bin/qemu-system-x86_64", "/usr/libexec/qemu-kvm"];

/** A guest really starts: that /dev/kvm is there says little. */
export const virtualization: Check<Settings<"virtualization">> = {
  name: "virtualization",
  title: "start a guest",
  kind: "load",
  programs: () => [],
  async run(settings, context): Promise<Findings | Skipped> {
    if (process.arch !== "x64") return { skipped: `no guest is known for ${process.arch}` };
    const hasKvm = await isThere("/dev/kvm");
    if (!hasKvm && !settings.emulation)
      return { skipped: "there is no /dev/kvm: switch virtualization on in the firmware" };
    const kernel = settings.kernel ?? `/boot/vmlinuz-${release()}`;
    if (!(await isThere(kernel))) return { skipped: `there is no kernel ${kernel} for a guest` };
    const emulator = await findFirst(emulators);
    if (emulator === undefined) return { skipped: "not installed: QEMU (Debian: qemu-system-x86, EL: qemu-kvm)" };
    const nested =
      (await readWord("/sys/module/kvm_intel/parameters/nested")) ||
      (await readWord("/sys/module/kvm_amd/parameters/nested"));
    const guest = await startGuest(emulator, kernel, hasKvm ? "kvm" : "tcg", settings.timeLimit, context);
    return {
      measurements: [
        measure("accelerator", hasKvm ? "kvm" : "tcg", { oneOf: settings.emulation ? undefined : ["kvm"] }),
        measure("guest", guest.outcome, { oneOf: ["started"] }),
        measure("guest-start", guest.seconds, { unit: "s" }),
        measure("nested", /^[Y1]$/.test(nested) ? "yes" : "no", {
          oneOf: settings.nested === undefined ? undefined : [settings.nested ? "yes" : "no"],
        }),
        measure("iommu-groups", (await listFolder("/sys/kernel/iommu_groups")).length, {
          min: settings.minIommuGroups,
        }),
      ],
    };
  },
};

async function startGuest(
  emulator: string,
  kernel: string,
  accelerator: "kvm" | "tcg",
  timeLimit: number,
  { signal }: CheckContext,
): Promise<{ outcome: string; seconds: number }> {
  const folder = await mkdtemp(join(tmpdir(), "metalcast-guest-"));
  const startedAt = performance.now();
  const seen = new AbortController();
  const seconds = () => (performance.now() - startedAt) / 1000;
  try {
    const initramfs = join(folder, "initramfs");
    await writeFile(initramfs, buildGuestInitramfs());
    const args = [
      ...["-accel", accelerator, "-m", "512M", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
      ...["-serial", "stdio", "-kernel", kernel, "-initrd", initramfs, "-append", "console=ttyS0 panic=-1 quiet"],
      ...(accelerator === "kvm" ? ["-cpu", "host"] : []),
    ];
    await run(emulator, args, {
      doing: "starting a guest",
      timeoutMs: timeLimit * 1000,
      signal: AbortSignal.any([signal, seen.signal]),
      // One that hangs in the kernel would not hear of anything else.
      killSignal: "SIGKILL",
      onLine: (line) => line.includes(guestLine) && seen.abort(),
    });
    // It may have ended by itself before it was ended.
    return { outcome: seen.signal.aborted ? "started" : "ended without a word", seconds: seconds() };
  } catch (error) {
    signal.throwIfAborted();
    if (seen.signal.aborted) return { outcome: "started", seconds: seconds() };
    if (!(error instanceof Failure)) throw error;
    const timedOut = error.data.timedOut === true;
    return { outcome: timedOut ? `not started within ${timeLimit} s` : error.message, seconds: seconds() };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function findFirst(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await isThere(path)) return path;
  return undefined;
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
