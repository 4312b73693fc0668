import { listNetworkInterfaces } from "../../network-interfaces.ts";
import { type Check, measure } from "../check.ts";
import type { Settings } from "../profile.ts";
import { listFolder, readNumber, readWord } from "../system-file.ts";

const directory = "/sys/class/net";

/** Counters of Documentation/ABI/testing/sysfs-class-net-statistics that should stand still. */
const errorCounters = /^(?:[rt]x_errors|[rt]x_\w+_errors|collisions)$/;

/** Links are up and as quick as they should be, and count no errors while everything else goes on. */
export const networkLinks: Check<Settings<"network-links">> = {
  name: "network-links",
  title: "watch the network cards",
  kind: "watch",
  programs: () => [],
  async run({ interfaces, minSpeedMbps, maxNewErrors }, { signal, loadEnded }) {
    const cards = await listNetworkInterfaces(signal);
    const names = interfaces ?? cards.filter(({ hasCarrier }) => hasCarrier).map(({ name }) => name);
    if (names.length === 0) return { skipped: "no network card has a link" };
    const before = new Map<string, number>();
    for (const name of names) before.set(name, await countErrors(name));
    await loadEnded;
    const measurements = [];
    for (const name of names) {
      const subject = name;
      const speed = await readNumber(`${directory}/${name}/speed`);
      const duplex = await readWord(`${directory}/${name}/duplex`);
      const isUp = (await readWord(`${directory}/${name}/carrier`)) === "1";
      measurements.push(
        measure("link", isUp ? "up" : "down", { subject, oneOf: ["up"] }),
        // Virtual cards do not tell: -1, or an error.
        measure("speed", speed === -1 ? undefined : speed, { subject, unit: "Mbit/s", min: minSpeedMbps }),
        measure("new-errors", (await countErrors(name)) - (before.get(name) ?? 0), { subject, max: maxNewErrors }),
        ...(duplex === "" || duplex === "unknown" ? [] : [measure("duplex", duplex, { subject, oneOf: ["full"] })]),
      );
    }
    return { measurements };
  },
};

async function countErrors(name: string): Promise<number> {
  const folder = `${directory}/${name}/statistics`;
  const counters = (await listFolder(folder)).filter((file) => errorCounters.test(file));
  const values = await Promise.all(counters.map((file) => readNumber(`${folder}/${file}`)));
  return values.reduce<number>((sum, value) => sum + (value ?? 0), 0);
}
