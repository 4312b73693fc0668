import { z } from "zod";
import { parseJson } from "../../../common/parse-json.ts";
import { run } from "../../../common/run.ts";
import { discoverDisks } from "../../hardware.ts";
import { type Check, measure } from "../check.ts";
import type { Settings } from "../profile.ts";

/** What the disks say of themselves, before and after everything else. */
export const diskHealth: Check<Settings<"disk-health">> = {
  name: "disk-health",
  title: "ask the disks for their health",
  kind: "watch",
  programs: () => ["smartctl"],
  async run({ disks, maxReallocated, maxPending, maxMediaErrors, maxTemperature }, { signal, loadEnded }) {
    const names = disks ?? (await discoverDisks(signal)).map(({ path }) => path);
    const before = new Map<string, Health | undefined>();
    for (const name of names) before.set(name, await askDisk(name, signal));
    const telling = names.filter((name) => disks || before.get(name));
    if (telling.length === 0) return { skipped: "no disk tells of its health (SMART)" };
    await loadEnded;
    const measurements = [];
    for (const subject of telling) {
      const health = await askDisk(subject, signal);
      const former = before.get(subject);
      if (!health) {
        measurements.push(measure("health", "unknown", { subject, oneOf: ["passed"] }));
        continue;
      }
      measurements.push(measure("health", health.passed ? "passed" : "failing", { subject, oneOf: ["passed"] }));
      const counters = [
        ["reallocated", maxReallocated],
        ["pending", maxPending],
        ["mediaErrors", maxMediaErrors],
      ] as const;
      for (const [name, max] of counters) {
        const value = health[name];
        if (value === undefined) continue;
        measurements.push(measure(dashed[name], value, { subject, max }));
        measurements.push(measure(`new-${dashed[name]}`, value - (former?.[name] ?? value), { subject, max: 0 }));
      }
      measurements.push(measure("temperature", health.temperature, { subject, unit: "°C", max: maxTemperature }));
    }
    return { measurements };
  },
};

const dashed = { reallocated: "reallocated", pending: "pending", mediaErrors: "media-errors" } as const;

export interface Health {
  passed: boolean;
  reallocated: number | undefined;
  pending: number | undefined;
  mediaErrors: number | undefined;
  /** In °C. */
  temperature: number | undefined;
}

async function askDisk(path: string, signal: AbortSignal): Promise<Health | undefined> {
  // smartctl(8), EXIT STATUS: a set of bits, of which all but the first two tell of the disk, not of the asking.
  const accept = Array.from({ length: 256 }, (_, code) => code);
  const options = { doing: `asking ${path} for its health`, signal, timeoutMs: 60_000, accept };
  return readHealth((await run("smartctl", ["--json", "--all", path], options)).stdout);
}

const smartSchema = z.object({
  smart_status: z.object({ passed: z.boolean() }),
  temperature: z.object({ current: z.number().optional() }).optional(),
  ata_smart_attributes: z
    .object({ table: z.array(z.object({ id: z.number(), raw: z.object({ value: z.number() }) })) })
    .optional(),
  nvme_smart_health_information_log: z.object({ media_errors: z.number().optional() }).optional(),
  scsi_grown_defect_list: z.number().optional(),
});

/**
 * What `smartctl --json` says: JSON of format version 1, https://www.smartmontools.org. ATA's attributes 5 and 197 are
 * reallocated and pending sectors, SCSI's grown defects are its reallocated ones.
 * @returns undefined where the disk has no SMART
 */
export function readHealth(text: string): Health | undefined {
  const parsed = smartSchema.safeParse(parseJson(text));
  if (!parsed.success) return undefined;
  const { smart_status, temperature, ata_smart_attributes, nvme_smart_health_information_log, scsi_grown_defect_list } =
    parsed.data;
  const attribute = (wanted: number) => ata_smart_attributes?.table.find(({ id }) => id === wanted)?.raw.value;
  return {
    passed: smart_status.passed,
    reallocated: attribute(5) ?? scsi_grown_defect_list,
    pending: attribute(197),
    mediaErrors: nvme_smart_health_information_log?.media_errors,
    temperature: temperature?.current,
  };
}
