import { hasBridges } from "./interface-name.ts";
import type { InstanceNetwork, LinkAddressing, NetworkProblem } from "./network.ts";

type Bond = InstanceNetwork["bonds"][string];

/** What lies on what: references to links that are not there, members that are taken or busy, MTUs that do not fit. */
export function checkLinks(network: InstanceNetwork): NetworkProblem[] {
  return [...memberProblems(network), ...vlanProblems(network), ...bondProblems(network), ...mtuProblems(network)];
}

/** A member of a bond or a bridge has no addresses of its own and no second master. */
function memberProblems(network: InstanceNetwork): NetworkProblem[] {
  const { ethernets, bonds, vlans } = network;
  const problems: NetworkProblem[] = [];
  const masterOf = new Map<string, string>();
  const claim = (kind: "bonds" | "bridges", candidates: Record<string, LinkAddressing>, expected: string) => {
    for (const [name, { links }] of Object.entries(network[kind])) {
      for (const link of links) {
        const complain = (message: string) => problems.push({ path: [kind, name, "links"], message });
        const member = Object.hasOwn(candidates, link) ? candidates[link] : undefined;
        if (!member) complain(`there is no ${expected} ${link}`);
        const master = masterOf.get(link);
        if (master !== undefined) complain(`${link} belongs to ${master} already`);
        masterOf.set(link, name);
        if (member && isAddressed(member)) complain(`${link} has addresses, DHCP or routes, which belong to ${name}`);
        const onTop = Object.entries(vlans).find(([, vlan]) => vlan.link === link)?.[0];
        if (kind === "bonds" && onTop !== undefined) complain(`the VLAN ${onTop} lies on ${link}: put it on ${name}`);
      }
    }
  };
  claim("bonds", ethernets, "ethernet");
  claim("bridges", { ...ethernets, ...bonds, ...vlans }, "ethernet, bond or VLAN");
  return problems;
}

const isAddressed = ({ dhcp4, dhcp6, addresses, routes }: LinkAddressing) =>
  dhcp4 || dhcp6 !== false || addresses.length > 0 || routes.length > 0;

function vlanProblems({ ethernets, bonds, vlans }: InstanceNetwork): NetworkProblem[] {
  const vlanOf = new Map<string, string>();
  return Object.entries(vlans).flatMap(([name, { link, id }]) => {
    if (!Object.hasOwn({ ...ethernets, ...bonds }, link)) {
      return [{ path: ["vlans", name, "link"], message: `there is no ethernet or bond ${link}` }];
    }
    const other = vlanOf.get(`${link}.${id}`);
    vlanOf.set(`${link}.${id}`, name);
    return other === undefined
      ? []
      : [{ path: ["vlans", name, "id"], message: `${other} has the VLAN id ${id} on ${link} already` }];
  });
}

/** Which modes take a parameter: Linux Ethernet Bonding Driver HOWTO, section 2. The kernel refuses or ignores it in the others. */
const modesOf = {
  lacpRate: ["802.3ad"],
  transmitHashPolicy: ["balance-xor", "802.3ad", "balance-tlb"],
  primary: ["active-backup", "balance-tlb", "balance-alb"],
} as const satisfies Partial<Record<keyof Bond, readonly Bond["mode"][]>>;

function bondProblems(network: InstanceNetwork): NetworkProblem[] {
  const { ethernets, bonds } = network;
  return Object.entries(bonds).flatMap(([name, bond]) => {
    const problems: NetworkProblem[] = [];
    for (const parameter of ["lacpRate", "transmitHashPolicy", "primary"] as const) {
      const modes: readonly string[] = modesOf[parameter];
      if (bond[parameter] === undefined || modes.includes(bond.mode)) continue;
      const message = `the mode ${bond.mode} has none, only ${modes.join(", ")}`;
      problems.push({ path: ["bonds", name, parameter], message });
    }
    if (bond.primary !== undefined) {
      const path = ["bonds", name, "primary"];
      const primary = Object.hasOwn(ethernets, bond.primary) ? ethernets[bond.primary] : undefined;
      if (!bond.links.includes(bond.primary))
        problems.push({ path, message: `${bond.primary} is not among its links` });
      else if (primary && primary.name === undefined && !hasBridges(network)) {
        // convert_net_json translates the links of a bond to the kernel's names, its other parameters not.
        const message = `cloud-init needs its interface's name here: give ethernets.${bond.primary} a name`;
        problems.push({ path, message });
      }
    }
    return problems;
  });
}

const defaultMtu = 1500;

function mtuProblems(network: InstanceNetwork): NetworkProblem[] {
  const { ethernets, bonds, vlans, bridges } = network;
  const lower = new Map<string, LinkAddressing>(Object.entries({ ...ethernets, ...bonds, ...vlans }));
  const problems: NetworkProblem[] = [];
  const compare = (kind: "vlans" | "bridges", name: string, below: string, mtu: number | undefined) => {
    const limit = lower.get(below)?.mtu ?? defaultMtu;
    if (mtu === undefined || mtu <= limit) return;
    problems.push({ path: [kind, name, "mtu"], message: `${mtu} is more than ${below} below it has, ${limit}` });
  };
  for (const [name, { link, mtu }] of Object.entries(vlans)) compare("vlans", name, link, mtu);
  for (const [name, { links, mtu }] of Object.entries(bridges)) {
    for (const link of links) compare("bridges", name, link, mtu);
  }
  for (const [name, { links, mtu }] of Object.entries(bonds)) {
    for (const link of links) {
      const own = lower.get(link)?.mtu;
      if (own === undefined || own === (mtu ?? defaultMtu)) continue;
      problems.push({ path: ["ethernets", link, "mtu"], message: `the bond ${name} sets it: ${mtu ?? defaultMtu}` });
    }
  }
  for (const kind of ["ethernets", "bonds", "vlans", "bridges"] as const) {
    for (const [name, { mtu, dhcp6, addresses }] of Object.entries(network[kind])) {
      const usesV6 = dhcp6 !== false || addresses.some((address: string) => address.includes(":"));
      if (mtu === undefined || mtu >= 1280 || !usesV6) continue;
      problems.push({ path: [kind, name, "mtu"], message: "IPv6 needs at least 1280 (RFC 8200, section 5)" });
    }
  }
  return problems;
}
