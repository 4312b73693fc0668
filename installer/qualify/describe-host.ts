import { cpus, release, totalmem } from "node:os";
import type { QualifiedHost } from "../../mirror/index.ts";
import { discoverDisks } from "../hardware.ts";
import { listNetworkInterfaces } from "../network-interfaces.ts";
import { readWord } from "./system-file.ts";

/** SMBIOS as the kernel shows it: Documentation/ABI/testing/sysfs-class-dmi (drivers/firmware/dmi-id.c). */
const dmi = "/sys/class/dmi/id";

/** Which server it is. Serial numbers show to root alone. */
export async function describeHost(signal: AbortSignal): Promise<QualifiedHost> {
  const disks = await discoverDisks(signal);
  const interfaces = await listNetworkInterfaces(signal);
  const firmware = [await readWord(`${dmi}/bios_vendor`), await readWord(`${dmi}/bios_version`)];
  const processors = cpus();
  return {
    vendor: await readWord(`${dmi}/sys_vendor`),
    model: await readWord(`${dmi}/product_name`),
    serial: await readWord(`${dmi}/product_serial`),
    firmware: [...firmware, await readWord(`${dmi}/bios_date`)].filter(Boolean).join(" "),
    cpu: {
      model: processors[0]?.model ?? "",
      count: processors.length,
      microcode: /^microcode\s*: (\S+)/m.exec(await readWord("/proc/cpuinfo"))?.[1] ?? "",
    },
    memoryBytes: totalmem(),
    kernel: release(),
    system: /^PRETTY_NAME="?([^"\n]*)/m.exec(await readWord("/etc/os-release"))?.[1] ?? "",
    disks: disks.map(({ path, model, serial, sizeBytes }) => ({ name: path, model, serial, sizeBytes })),
    interfaces: interfaces.map(({ name, mac, driver }) => ({ name, mac, driver })),
  };
}
