import fc from "fast-check";
import type { z } from "zod";
import type { networkSchema } from "../../../installer/config-drive/network.ts";

type NetworkInput = z.input<typeof networkSchema>;
type LinkInput = Omit<NetworkInput["ethernets"][string], "mac" | "name">;

interface LinkWish {
  v4: number[];
  v6: number[];
  routes4: number;
  routes6: number;
  dhcp4: boolean;
  dhcp6: LinkInput["dhcp6"];
  mtu: number | undefined;
  viaLinkLocal: boolean;
}

const hosts = fc.uniqueArray(fc.integer({ min: 2, max: 250 }), { maxLength: 3 });
const linkWish: fc.Arbitrary<LinkWish> = fc.record({
  v4: hosts,
  v6: hosts,
  routes4: fc.integer({ min: 0, max: 3 }),
  routes6: fc.integer({ min: 0, max: 3 }),
  dhcp4: fc.boolean(),
  dhcp6: fc.constantFrom<LinkWish["dhcp6"][]>(false, true, "slaac", "stateless"),
  mtu: fc.option(fc.integer({ min: 1280, max: 9000 }), { nil: undefined }),
  viaLinkLocal: fc.boolean(),
});

const wish = fc.record({
  ethernets: fc.integer({ min: 1, max: 4 }),
  isNamed: fc.boolean(),
  bonded: fc.integer({ min: 0, max: 2 }),
  mode: fc.constantFrom("active-backup", "802.3ad", "balance-rr"),
  vlanIds: fc.uniqueArray(fc.integer({ min: 1, max: 4094 }), { maxLength: 2 }),
  bridged: fc.boolean(),
  links: fc.array(linkWish, { minLength: 9, maxLength: 9 }),
  defaultLink: fc.nat(8),
  nameservers: fc.boolean(),
  searchDomains: fc.boolean(),
});

/** Each link has subnets of its own, 10.INDEX.0.0/16 and 2001:db8:INDEX::/64, with the gateway at 1. */
function addressing(link: LinkWish, index: number, hasDefault: boolean, limitMtu: number | undefined): LinkInput {
  const gateway6 = link.viaLinkLocal ? "fe80::1" : `2001:db8:${index}::1`;
  const destinations = (count: number, to: (number: number) => string, via: string) =>
    Array.from({ length: count }, (_, number) => ({
      to: number === 0 && hasDefault ? "default" : to(number),
      via,
      ...(number === 2 && { metric: 100 }),
    }));
  return {
    addresses: [
      ...link.v4.map((host, order) => `10.${index}.${order}.${host}/16`),
      ...link.v6.map((host) => `2001:DB8:${index}::${host.toString(16)}/64`),
    ],
    routes: [
      ...(link.v4.length > 0
        ? destinations(link.routes4, (n) => `172.${16 + n}.${index}.0/24`, `10.${index}.0.1`)
        : []),
      ...(link.v6.length > 0 ? destinations(link.routes6, (n) => `2001:db8:f${n}${index}::/48`, gateway6) : []),
    ],
    dhcp4: link.dhcp4,
    dhcp6: link.dhcp6,
    ...(link.mtu !== undefined && { mtu: Math.min(link.mtu, limitMtu ?? link.mtu) }),
  };
}

function build({ links, defaultLink, ...wished }: typeof wish extends fc.Arbitrary<infer T> ? T : never): NetworkInput {
  let used = 0;
  const next = (limitMtu?: number): LinkInput => {
    const index = used++;
    const link = links[index];
    if (!link) throw new Error(`no more than ${links.length} links`);
    return addressing(link, index, index === defaultLink, limitMtu);
  };
  const names = Array.from({ length: wished.ethernets }, (_, index) => `port${index}`);
  const members = names.slice(0, wished.bonded);
  const ethernets = Object.fromEntries(
    names.map((link, index) => {
      const name = wished.isNamed ? { name: `lan${index}` } : {};
      const mac = `52:54:00:00:00:0${index}`;
      return [link, { mac, ...name, ...(members.includes(link) ? {} : next()) }];
    }),
  );
  const bonds = members.length > 0 ? { pair: { links: members, mode: wished.mode, ...next() } } : {};
  const below = members.length > 0 ? "pair" : "port0";
  const belowMtu = (members.length > 0 ? bonds.pair?.mtu : ethernets.port0?.mtu) ?? 1500;
  const vlans = Object.fromEntries(
    wished.vlanIds.map((id, index) => [`tagged${index}`, { link: below, id, ...next(belowMtu) }]),
  );
  // A port of a bridge has no addresses of its own: a VLAN made for it.
  const bridges = wished.bridged ? { br0: { links: ["port-of-bridge"], ...next(belowMtu) } } : {};
  const ports = wished.bridged ? { "port-of-bridge": { link: below, id: 4094, mtu: belowMtu } } : {};
  const all = Object.values({ ...ethernets, ...bonds, ...vlans, ...bridges });
  const hasFixed = (mark: string) => all.some(({ addresses = [] }) => addresses.some((text) => text.includes(mark)));
  return {
    ethernets,
    bonds,
    vlans: { ...vlans, ...ports },
    bridges,
    nameservers: wished.nameservers
      ? [...(hasFixed(".") ? ["192.0.2.53"] : []), ...(hasFixed(":") ? ["2001:db8::53"] : [])]
      : [],
    searchDomains: wished.searchDomains && (hasFixed(".") || hasFixed(":")) ? ["example.net", "example.org"] : [],
  };
}

/** Networks that a job may ask for, of every kind of link; all are valid. */
export const validNetwork: fc.Arbitrary<NetworkInput> = wish
  .filter(({ vlanIds }) => !vlanIds.includes(4094))
  .map(build);
