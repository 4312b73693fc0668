import { listFolder, readNumber, readWord } from "./system-file.ts";

const processors = "/sys/devices/system/cpu";

/**
 * Temperatures by sensor, in °C: Linux, Documentation/hwmon/sysfs-interface, which has thousandths.
 * @param root for tests
 */
export async function readTemperatures(root = "/sys/class/hwmon"): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const chip of await listFolder(root)) {
    const name = await readWord(`${root}/${chip}/name`);
    for (const file of await listFolder(`${root}/${chip}`)) {
      const sensor = /^(temp\d+)_input$/.exec(file)?.[1];
      const value = sensor === undefined ? undefined : await readNumber(`${root}/${chip}/${file}`);
      if (value === undefined) continue;
      const label = (await readWord(`${root}/${chip}/${sensor}_label`)) || sensor;
      found[`${name || chip} ${label} (${chip})`] = value / 1000;
    }
  }
  return found;
}

/** How often processors were slowed down for heat, all together: arch/x86/kernel/cpu/mce/therm_throt.c. */
export async function readThrottling(root = processors): Promise<number | undefined> {
  let sum: number | undefined;
  for (const processor of await listFolder(root)) {
    if (!/^cpu\d+$/.test(processor)) continue;
    const count = await readNumber(`${root}/${processor}/thermal_throttle/core_throttle_count`);
    if (count !== undefined) sum = (sum ?? 0) + count;
  }
  return sum;
}

/** In MHz, the slowest and the quickest processor: Documentation/admin-guide/pm/cpufreq.rst, which has kHz. */
export async function readFrequencies(root = processors): Promise<Record<string, number>> {
  const all: number[] = [];
  for (const processor of await listFolder(root)) {
    const frequency = await readNumber(`${root}/${processor}/cpufreq/scaling_cur_freq`);
    if (frequency !== undefined) all.push(frequency / 1000);
  }
  return all.length > 0 ? { slowest: Math.min(...all), quickest: Math.max(...all) } : {};
}

export interface MemoryErrors {
  corrected: number;
  uncorrected: number;
}

/** Of all memory controllers: Documentation/ABI/testing/sysfs-devices-edac. Undefined: there is none that tells. */
export async function readMemoryErrors(root = "/sys/devices/system/edac/mc"): Promise<MemoryErrors | undefined> {
  const controllers = (await listFolder(root)).filter((name) => /^mc\d+$/.test(name));
  if (controllers.length === 0) return undefined;
  const sum = { corrected: 0, uncorrected: 0 };
  for (const controller of controllers) {
    sum.corrected += (await readNumber(`${root}/${controller}/ce_count`)) ?? 0;
    sum.uncorrected += (await readNumber(`${root}/${controller}/ue_count`)) ?? 0;
  }
  return sum;
}
