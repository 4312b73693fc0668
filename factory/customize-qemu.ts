import { access, constants, copyFile, mkdir, open, rename, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Failure } from "../common/failure.ts";
import type { CatalogImage } from "./catalog.ts";
import { prepareGuest } from "./customize-guest.ts";
import { type CustomizeOptions, runPacker } from "./customize-run.ts";
import type { Accelerator } from "./customize-way.ts";

export interface CustomizeQemuOptions extends CustomizeOptions {
  accelerator: Accelerator;
  /** The vendor's disk. Stays as it is. */
  disk: { path: string; format: "raw" };
  /** The file to make, on the same file system as `scratch`. */
  destination: string;
}

/** Room for packages beyond what the vendor's disk has: cloud-init enlarges the root file system to it. */
const roomBytes = 8 * 2 ** 30;

/** Where distributions have UEFI's firmware for QEMU: its code and its empty variables. */
const firmwareFiles = [
  ["/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"],
  ["/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"],
  ["/usr/share/qemu/ovmf-x86_64-code.bin", "/usr/share/qemu/ovmf-x86_64-vars.bin"],
] as const;

/**
 * Boots a copy of the vendor's disk in a virtual machine and runs the family's provisioning scripts there.
 * @throws Failure `customize-failed` (failed), `firmware-missing` and `arch-unsupported` (configuration),
 *   `programs-missing`, `interrupted`
 */
export async function customizeInQemu(image: CatalogImage, options: CustomizeQemuOptions): Promise<void> {
  const { disk, destination, scratch, onText } = options;
  assertArch(image);
  const [accelerator, fallback] = await orderAccelerators(options.accelerator);
  try {
    await bootAndRun(image, options, accelerator, join(scratch, accelerator));
    await rename(join(scratch, accelerator, "output/disk.raw"), destination);
  } catch (error) {
    const isUnreached = error instanceof Failure && error.code === "customize-failed" && error.data.script === "";
    if (fallback === undefined || !isUnreached) throw error;
    onText(`${disk.path} does not boot under ${accelerator} here: emulating it`);
    await bootAndRun(image, options, fallback, join(scratch, fallback));
    await rename(join(scratch, fallback, "output/disk.raw"), destination);
  }
}

function assertArch(image: CatalogImage): void {
  if (image.arch === "amd64") return;
  throw new Failure({
    code: "arch-unsupported",
    kind: "configuration",
    message: `customizing ${image.name} in a virtual machine: this way is for amd64, not ${image.arch}`,
    hint: "use --customize chroot on a machine of that architecture",
  });
}

/** That /dev/kvm opens says little: nested in some clouds a kernel hangs under it. The boot itself is the proof. */
async function orderAccelerators(wanted: Accelerator): Promise<["kvm" | "tcg", "tcg"?]> {
  if (wanted !== "auto") return [wanted];
  const isOpen = await access("/dev/kvm", constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  return isOpen ? ["kvm", "tcg"] : ["tcg"];
}

async function bootAndRun(
  image: CatalogImage,
  options: CustomizeQemuOptions,
  accelerator: "kvm" | "tcg",
  scratch: string,
): Promise<void> {
  const { disk, apt, rhsm } = options;
  await mkdir(scratch, { mode: 0o700 });
  const guest = await prepareGuest({ user: "root", scratch, ...(apt && { apt }), ...(rhsm && { rhsm }) });
  const seed = join(scratch, "seed");
  await mkdir(seed);
  await copyFile(guest.userDataFile, join(seed, "user-data"));
  await writeFile(join(seed, "meta-data"), "instance-id: metalcast\n");
  await writeFile(join(seed, "vendor-data"), "");
  const consoleLog = join(scratch, "console.log");
  try {
    await runPacker(image, {
      ...options,
      scratch: join(scratch, "packer"),
      way: "qemu",
      variables: {
        ...guest.variables,
        ...(await prepareFirmware(image, scratch)),
        disk: resolve(disk.path),
        disk_size: `${(await stat(disk.path)).size + roomBytes}b`,
        output_directory: join(scratch, "output"),
        seed,
        accelerator,
        console_log: consoleLog,
        // Emulated, a boot takes minutes; under KVM, where it works at all, it does not.
        ssh_timeout: accelerator === "kvm" ? "5m" : "30m",
      },
    });
  } catch (error) {
    throw error instanceof Failure ? await withConsole(error, consoleLog) : error;
  }
}

/** BIOS where the vendor's disk boots under it, which needs nothing. */
async function prepareFirmware(image: CatalogImage, scratch: string): Promise<Record<string, string>> {
  if (image.firmware.includes("bios")) return {};
  for (const [code, variables] of firmwareFiles) {
    const own = join(scratch, "uefi-variables.fd");
    const isCopied = await copyFile(variables, own).then(
      () => true,
      () => false,
    );
    if (isCopied) return { firmware_code: code, firmware_variables: own };
  }
  throw new Failure({
    code: "firmware-missing",
    kind: "configuration",
    message: `customizing ${image.name} in a virtual machine: it boots under UEFI only, and no UEFI for QEMU is installed`,
    hint: "apt-get install ovmf",
  });
}

/** A guest that could not be reached may have said why on its console. */
async function withConsole(failure: Failure, consoleLog: string): Promise<Failure> {
  if (failure.code !== "customize-failed") return failure;
  const text = await readEnd(consoleLog).catch(() => "");
  const { code, kind, message, hint, data, cause } = failure;
  const lines = text.split(/[\r\n]+/).filter((line) => line.trim() !== "");
  return new Failure({
    code,
    kind,
    message,
    ...(hint && { hint }),
    data: { ...data, console: lines.slice(-12) },
    cause,
  });
}

/** The guest is foreign code: it may have written gigabytes. */
const consoleEndBytes = 64 * 1024;

async function readEnd(path: string): Promise<string> {
  await using file = await open(path);
  const { size } = await file.stat();
  const position = Math.max(0, size - consoleEndBytes);
  const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(consoleEndBytes), position });
  return buffer.toString("utf8", 0, bytesRead);
}
