import { type Check, measure } from "../check.ts";
import type { Settings } from "../profile.ts";
import { listFolder, readWord } from "../system-file.ts";

const directory = "/proc/net/bonding";

/** Every member of every bond is up. */
export const networkBonds: Check<Settings<"network-bonds">> = {
  name: "network-bonds",
  title: "look at the bonds",
  kind: "watch",
  programs: () => [],
  async run({ bonds, mode }, { loadEnded }) {
    const names = bonds ?? (await listFolder(directory));
    if (names.length === 0) return { skipped: "there is no bond" };
    await loadEnded;
    const measurements = [];
    for (const name of names) {
      const bond = readBond(await readWord(`${directory}/${name}`));
      measurements.push(
        measure("mode", bond.mode, { subject: name, oneOf: mode === undefined ? undefined : [mode] }),
        measure("state", bond.state, { subject: name, oneOf: ["up"] }),
        measure("members", bond.members.length, { subject: name, min: 1 }),
        ...bond.members.map((member) =>
          measure("state", member.state, { subject: `${name}/${member.name}`, oneOf: ["up"] }),
        ),
      );
    }
    return { measurements };
  },
};

interface Bond {
  mode: string;
  state: string;
  members: { name: string; state: string }[];
}

/** Documentation/networking/bonding.rst, "Querying Bonding Configuration". */
export function readBond(text: string): Bond {
  const bond: Bond = { mode: "", state: "absent", members: [] };
  for (const line of text.split("\n")) {
    const [, key = "", value = ""] = /^([^:]+): (.*)$/.exec(line.trim()) ?? [];
    const member = bond.members.at(-1);
    if (key === "Bonding Mode") bond.mode = value;
    else if (key === "Slave Interface") bond.members.push({ name: value, state: "" });
    else if (key === "MII Status" && member) member.state = value;
    else if (key === "MII Status") bond.state = value;
  }
  return bond;
}
