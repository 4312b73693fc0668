import { isIPv6 } from "node:net";
import type { InstanceNetwork, LinkAddressing } from "./network.ts";

interface Route {
  network: string;
  netmask: string;
  gateway: string;
}

/** An address's mask as the document has it: 255.255.255.0, or ffff:ffff:ffff:ffff:0:0:0:0. */
function netmask(prefixLength: number, isV6: boolean): string {
  const [groups, bits] = isV6 ? [8, 16] : [4, 8];
  const values = Array.from({ length: groups }, (_, index) => {
    const ones = Math.min(Math.max(prefixLength - index * bits, 0), bits);
    return 2 ** bits - 2 ** (bits - ones);
  });
  return values.map((value) => value.toString(isV6 ? 16 : 10)).join(isV6 ? ":" : ".");
}

function splitSubnet(subnet: string): { address: string; mask: string; isV6: boolean } {
  const [address = "", prefix = ""] = subnet.split("/");
  const isV6 = isIPv6(address);
  return { address, mask: netmask(Number(prefix), isV6), isV6 };
}

function toRoute({ to, via }: LinkAddressing["routes"][number]): Route {
  const everything = isIPv6(via) ? "::/0" : "0.0.0.0/0";
  const { address, mask } = splitSubnet(to === "default" ? everything : to);
  return { network: address, netmask: mask, gateway: via };
}

/** The networks on one link. Routes go with the first static address of their family. */
function networksOf(link: string, { dhcp4, dhcp6, addresses, routes }: LinkAddressing) {
  const dynamic = [...(dhcp4 ? ["ipv4_dhcp"] : []), ...(dhcp6 ? ["ipv6_dhcp"] : [])];
  const carried = new Set<boolean>();
  const fixed = addresses.map((subnet) => {
    const { address, mask, isV6 } = splitSubnet(subnet);
    const own = carried.has(isV6) ? [] : routes.filter(({ via }) => isIPv6(via) === isV6);
    carried.add(isV6);
    return { type: isV6 ? "ipv6" : "ipv4", link, ip_address: address, netmask: mask, routes: own.map(toRoute) };
  });
  return [...dynamic.map((type) => ({ type, link })), ...fixed].map((network, index) => ({
    id: `${link}-${index}`,
    network_id: `${link}-${index}`,
    ...network,
  }));
}

/**
 * OpenStack's network_data.json (nova's network_data.json schema) for the job's network. A bond and a VLAN
 * take the MAC address of the first interface beneath them, as the kernel would give it to them.
 */
export function networkData({ ethernets, bonds, vlans, nameservers }: InstanceNetwork) {
  const macOf = (link: string): string | undefined =>
    ethernets[link]?.mac ?? ethernets[bonds[link]?.links[0] ?? ""]?.mac;
  const links = [
    ...Object.entries(ethernets).map(([id, { mac, mtu }]) => ({ id, type: "phy", ethernet_mac_address: mac, mtu })),
    ...Object.entries(bonds).map(([id, { links, mode, miimon, mtu }]) => ({
      id,
      type: "bond",
      ethernet_mac_address: macOf(id),
      bond_links: links,
      bond_mode: mode,
      bond_miimon: miimon,
      mtu,
    })),
    ...Object.entries(vlans).map(([id, { link, id: vlanId, mtu }]) => ({
      id,
      type: "vlan",
      vlan_link: link,
      vlan_id: vlanId,
      vlan_mac_address: macOf(link),
      mtu,
    })),
  ];
  const networks = Object.entries({ ...ethernets, ...bonds, ...vlans }).flatMap(([id, link]) => networksOf(id, link));
  return { links, networks, services: nameservers.map((address) => ({ type: "dns", address })) };
}
