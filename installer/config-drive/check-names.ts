import { hasBridges, interfaceNames, isInterfaceName, longestInterfaceName } from "./interface-name.ts";
import type { InstanceNetwork, NetworkProblem } from "./network.ts";

const expected = "expected up to 15 letters, digits, _ and -, the first a letter, and not lo or bond0";

/** Names that mean two things, MAC addresses given twice, and interfaces that Linux could not call so. */
export function checkNames(network: InstanceNetwork): NetworkProblem[] {
  return [...repeatedLinks(network), ...repeatedMacs(network), ...interfaceProblems(network)];
}

function repeatedLinks({ ethernets, bonds, vlans, bridges }: InstanceNetwork): NetworkProblem[] {
  const names = [ethernets, bonds, vlans, bridges].flatMap((links) => Object.keys(links));
  const repeated = new Set(names.filter((name, index) => names.indexOf(name) !== index));
  return [...repeated].map((name) => ({ path: [], message: `the name ${name} is given to two links` }));
}

function repeatedMacs({ ethernets }: InstanceNetwork): NetworkProblem[] {
  const linkOf = new Map<string, string>();
  return Object.entries(ethernets).flatMap(([link, { mac }]) => {
    const other = linkOf.get(mac);
    if (other === undefined) linkOf.set(mac, link);
    return other === undefined
      ? []
      : [{ path: ["ethernets", link, "mac"], message: `${other} has the MAC address ${mac} already` }];
  });
}

function interfaceProblems(network: InstanceNetwork): NetworkProblem[] {
  const problems: NetworkProblem[] = [];
  const linkOf = new Map<string, string>();
  for (const [link, { name }] of Object.entries(network.ethernets)) {
    if (name === undefined) continue;
    const path = ["ethernets", link, "name"];
    const other = linkOf.get(name);
    if (!isInterfaceName(name)) problems.push({ path, message: expected });
    if (other !== undefined) problems.push({ path, message: `${other} is called ${name} already` });
    linkOf.set(name, link);
  }
  const names = interfaceNames(network);
  for (const [link, { link: below }] of Object.entries(network.vlans)) {
    const name = names.get(link) ?? "";
    const isKnown = hasBridges(network) || network.ethernets[below]?.name !== undefined;
    if (!isKnown || name.length <= longestInterfaceName) continue;
    problems.push({
      path: ["vlans", link, "link"],
      message: `the interface would be called ${name}, and Linux takes ${longestInterfaceName} characters: give ${below} a shorter name`,
    });
  }
  return hasBridges(network) ? [...problems, ...unnameable(network, linkOf)] : problems;
}

/** With bridges, the links' own names are the interfaces'. */
function unnameable(network: InstanceNetwork, linkOf: ReadonlyMap<string, string>): NetworkProblem[] {
  return (["ethernets", "bonds", "bridges"] as const).flatMap((kind) =>
    Object.keys(network[kind]).flatMap((link) => {
      const isNamed = kind === "ethernets" && network.ethernets[link]?.name !== undefined;
      if (isNamed) return [];
      const path = [kind, link];
      const other = linkOf.get(link);
      if (other !== undefined) return [{ path, message: `the interface of ${other} is called ${link} already` }];
      const message = `with bridges, this name is the interface's: ${expected}`;
      return isInterfaceName(link) || isBondName(kind, link) ? [] : [{ path, message }];
    }),
  );
}

/** A bond of the job may have the name that cloud-init would give it. */
const isBondName = (kind: string, link: string) => kind === "bonds" && /^bond\d{1,4}$/.test(link);
