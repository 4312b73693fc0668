import { realpath } from "node:fs/promises";
import { basename } from "node:path";
import { z } from "zod";
import { run } from "../../../common/run.ts";
import { type Check, measure } from "../check.ts";
import { describeHost } from "../describe-host.ts";
import type { Settings } from "../profile.ts";
import { listFolder, readWord } from "../system-file.ts";

/** The server is the one meant, every device has its driver, and neither kernel nor services complain. */
export const inventory: Check<Settings<"inventory">> = {
  name: "inventory",
  title: "look at firmware, drivers, the kernel's messages and services",
  kind: "watch",
  programs: () => ["dmesg"],
  async run(settings, { signal, loadEnded }) {
    await loadEnded;
    const { vendor, model, firmware, cpu } = await describeHost(signal);
    const devices = await listDevices();
    const idle = devices.filter(({ id, driver }) => driver === "" && !settings.allowWithoutDriver.includes(id));
    const errors = without(await readKernelErrors(signal), settings.allowKernelErrors);
    const failed = await listFailedUnits(signal);
    const units = failed && without(failed, settings.allowFailedUnits);
    const only = (wanted: string | undefined) => (wanted === undefined ? undefined : [wanted]);
    return {
      measurements: [
        measure("vendor", vendor, { oneOf: only(settings.vendor) }),
        measure("model", model, { oneOf: only(settings.model) }),
        measure("firmware", firmware, { oneOf: settings.firmware }),
        measure("microcode", cpu.microcode),
        measure("pci-devices", devices.length),
        measure("devices-without-driver", idle.length, {
          max: settings.maxDevicesWithoutDriver,
          ...(idle.length > 0 && { subject: idle.map(({ id, address }) => `${address} (${id})`).join(", ") }),
        }),
        measure("kernel-errors", errors.length, {
          max: settings.maxKernelErrors,
          ...(errors.length > 0 && { subject: shorten(errors) }),
        }),
        ...(units
          ? [
              measure("failed-units", units.length, {
                max: settings.maxFailedUnits,
                ...(units.length > 0 && { subject: units.join(", ") }),
              }),
            ]
          : []),
      ],
    };
  },
};

function without(lines: readonly string[], patterns: readonly string[]): string[] {
  const allowed = patterns.map((pattern) => new RegExp(pattern));
  return lines.filter((line) => !allowed.some((pattern) => pattern.test(line)));
}

/** The first ones are the cause, as a rule. */
function shorten(lines: readonly string[]): string {
  const shown = lines.slice(0, 3).map((line) => `"${line.slice(0, 200)}"`);
  return `${shown.join(", ")}${lines.length > 3 ? ` and ${lines.length - 3} more` : ""}`;
}

interface PciDevice {
  address: string;
  /** "8086:a1ed". */
  id: string;
  driver: string;
}

/** Bridges are the kernel's own: class 06 of the PCI Code and ID Assignment Specification. */
const bridge = /^0x06/;

async function listDevices(root = "/sys/bus/pci/devices"): Promise<PciDevice[]> {
  const found: PciDevice[] = [];
  for (const address of await listFolder(root)) {
    const read = (file: string) => readWord(`${root}/${address}/${file}`);
    if (bridge.test(await read("class"))) continue;
    const id = `${(await read("vendor")).slice(2)}:${(await read("device")).slice(2)}`;
    found.push({ address, id, driver: basename(await realpath(`${root}/${address}/driver`).catch(() => "")) });
  }
  return found;
}

/** dmesg(1): the levels emerg, alert, crit and err. */
async function readKernelErrors(signal: AbortSignal): Promise<string[]> {
  const args = ["--level=emerg,alert,crit,err", "--notime"];
  const { stdout } = await run("dmesg", args, { doing: "reading the kernel's messages", signal });
  return stdout.split("\n").filter(Boolean);
}

const unitsSchema = z.array(z.object({ unit: z.string() }));

/** @returns undefined where no systemd runs */
async function listFailedUnits(signal: AbortSignal): Promise<string[] | undefined> {
  if ((await listFolder("/run/systemd/system")).length === 0 && (await readWord("/proc/1/comm")) !== "systemd") {
    return undefined;
  }
  const args = ["list-units", "--state=failed", "--all", "--output=json", "--no-pager"];
  const { stdout } = await run("systemctl", args, { doing: "listing failed services", signal });
  return unitsSchema.parse(JSON.parse(stdout || "[]")).map(({ unit }) => unit);
}
