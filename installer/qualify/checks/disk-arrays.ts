import { writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { type Check, type CheckContext, measure } from "../check.ts";
import type { Settings } from "../profile.ts";
import { listFolder, readNumber, readWord } from "../system-file.ts";

/** Arrays have all their members, and these hold the same. Linux, Documentation/admin-guide/md.rst. */
export const diskArrays: Check<Settings<"disk-arrays">> = {
  name: "disk-arrays",
  title: "look at the md arrays",
  kind: "load",
  programs: () => [],
  async run({ check, maxMismatches }, context) {
    const names = (await listFolder("/sys/block")).filter((name) => /^md/.test(name));
    const measurements = [];
    for (const name of names) {
      const folder = `/sys/block/${name}/md`;
      const level = await readWord(`${folder}/level`);
      // Others have nothing that could be missing or differ: raid0, linear, a container.
      if (!/^raid(?:1|4|5|6|10)$/.test(level)) continue;
      measurements.push(measure("missing-members", await readNumber(`${folder}/degraded`), { subject: name, max: 0 }));
      if (!check) continue;
      context.say(`${name}: compare its members`);
      const mismatches = await compareMembers(folder, context);
      measurements.push(
        typeof mismatches === "string"
          ? measure("check", mismatches, { subject: name, oneOf: ["done"] })
          : measure("mismatches", mismatches, { subject: name, unit: "sectors", max: maxMismatches }),
      );
    }
    return measurements.length > 0 ? { measurements } : { skipped: "there is no redundant md array" };
  },
};

/** @returns why it could not be done, or in how many sectors members differ */
async function compareMembers(folder: string, { signal }: CheckContext): Promise<number | string> {
  const action = `${folder}/sync_action`;
  if ((await readWord(action)) !== "idle") return `not begun: the array is busy (${await readWord(action)})`;
  await writeFile(action, "check");
  try {
    while ((await readWord(action)) !== "idle") await delay(500, undefined, { signal });
    return (await readNumber(`${folder}/mismatch_cnt`)) ?? "without a result";
  } finally {
    if ((await readWord(action)) === "check") await writeFile(action, "idle");
  }
}
