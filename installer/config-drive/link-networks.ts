import { formatNetmask, parseSubnet } from "./address.ts";
import type { InstanceNetwork, LinkAddressing } from "./network.ts";

export interface StaticNetwork {
  isV6: boolean;
  address: string;
  prefixLength: number;
  netmask: string;
  routes: { network: string; netmask: string; gateway: string; metric?: number }[];
  /** Name servers and search domains that go with this address. */
  nameservers: string[];
  searchDomains: string[];
}

const isV6 = (address: string) => address.includes(":");

/**
 * Which name servers go with a link. cloud-init takes them along with static addresses only (netplan.py), all with one
 * of them (sysconfig.py keeps the last), and a server of a family that the link has no address of makes
 * NetworkManager's profile invalid (network_manager.py).
 */
export function nameserversOf(
  { dhcp4, dhcp6, addresses }: Pick<LinkAddressing, "dhcp4" | "dhcp6" | "addresses">,
  nameservers: readonly string[],
): string[] {
  if (addresses.length === 0) return [];
  const families = new Set([...addresses.map(isV6), ...(dhcp4 ? [false] : []), ...(dhcp6 === false ? [] : [true])]);
  return nameservers.filter((server) => families.has(isV6(server)));
}

/** The static addresses of a link. Routes go with the first address of their family, names with the first of all. */
export function staticNetworks(
  link: LinkAddressing,
  { nameservers, searchDomains }: Pick<InstanceNetwork, "nameservers" | "searchDomains">,
): StaticNetwork[] {
  return link.addresses.flatMap((text, index) => {
    const subnet = parseSubnet(text);
    if (!subnet) return [];
    const isFirst = link.addresses.findIndex((other) => isV6(other) === subnet.isV6) === index;
    return {
      isV6: subnet.isV6,
      address: text.replace(/\/.*/, ""),
      prefixLength: subnet.prefixLength,
      netmask: formatNetmask(subnet),
      routes: isFirst ? link.routes.filter(({ via }) => isV6(via) === subnet.isV6).flatMap(toRoute) : [],
      nameservers: index === 0 ? nameserversOf(link, nameservers) : [],
      searchDomains: index === 0 ? searchDomains : [],
    };
  });
}

function toRoute({ to, via, metric }: LinkAddressing["routes"][number]): StaticNetwork["routes"] {
  const everything = isV6(via) ? "::/0" : "0.0.0.0/0";
  const destination = to === "default" ? everything : to;
  const subnet = parseSubnet(destination);
  if (!subnet) return [];
  const network = destination.replace(/\/.*/, "");
  return [{ network, netmask: formatNetmask(subnet), gateway: via, ...(metric !== undefined && { metric }) }];
}
