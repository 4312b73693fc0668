import { staticNetworks } from "./link-networks.ts";
import type { InstanceNetwork, LinkAddressing } from "./network.ts";

const v6Types = { true: "ipv6_dhcp", slaac: "ipv6_slaac", stateless: "ipv6_dhcpv6-stateless" } as const;

function dynamicTypes({ dhcp4, dhcp6 }: LinkAddressing): string[] {
  return [...(dhcp4 ? ["ipv4_dhcp"] : []), ...(dhcp6 === false ? [] : [v6Types[dhcp6 === true ? "true" : dhcp6]])];
}

/** The networks on one link. cloud-init takes `dns_nameservers` and `dns_search` too (openstack.py, `valid_keys`). */
function networksOf(link: string, addressing: LinkAddressing, names: InstanceNetwork) {
  const fixed = staticNetworks(addressing, names).map((network) => ({
    type: network.isV6 ? "ipv6" : "ipv4",
    link,
    ip_address: network.address,
    netmask: network.netmask,
    routes: network.routes,
    ...(network.nameservers.length > 0 && { dns_nameservers: network.nameservers }),
    ...(network.searchDomains.length > 0 && { dns_search: network.searchDomains }),
  }));
  return [...dynamicTypes(addressing).map((type) => ({ type, link })), ...fixed].map((network, index) => ({
    id: `${link}-${index}`,
    network_id: `${link}-${index}`,
    ...network,
  }));
}

/** OpenStack's spelling: newer cloud-inits make `bond-` of its `bond_`, and would of any other make nothing. */
function bondParameters(bond: InstanceNetwork["bonds"][string], ethernets: InstanceNetwork["ethernets"]) {
  return {
    bond_mode: bond.mode,
    bond_miimon: bond.miimon,
    bond_updelay: bond.updelay,
    bond_downdelay: bond.downdelay,
    bond_lacp_rate: bond.lacpRate,
    bond_xmit_hash_policy: bond.transmitHashPolicy,
    bond_min_links: bond.minLinks,
    bond_primary: bond.primary === undefined ? undefined : ethernets[bond.primary]?.name,
  };
}

/**
 * OpenStack's network_data.json (nova's network_data.json schema) for a network without bridges. A bond and a VLAN
 * take the MAC address of the first interface beneath them, as the kernel would give it to them.
 */
export function networkData(network: InstanceNetwork) {
  const { ethernets, bonds, vlans, nameservers, searchDomains } = network;
  const macOf = (link: string): string | undefined =>
    ethernets[link]?.mac ?? ethernets[bonds[link]?.links[0] ?? ""]?.mac;
  const links = [
    ...Object.entries(ethernets).map(([id, { mac, name, mtu }]) => ({
      id,
      type: "phy",
      ethernet_mac_address: mac,
      name,
      mtu,
    })),
    ...Object.entries(bonds).map(([id, bond]) => ({
      id,
      type: "bond",
      ethernet_mac_address: macOf(id),
      bond_links: bond.links,
      ...bondParameters(bond, ethernets),
      mtu: bond.mtu,
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
  const networks = Object.entries({ ...ethernets, ...bonds, ...vlans }).flatMap(([id, link]) =>
    networksOf(id, link, network),
  );
  // Where resolv.conf is one file for all links, cloud-init fills it from here (sysconfig.py, `_render_dns`).
  const services = nameservers.map((address, index) => ({
    type: "dns",
    address,
    ...(index === 0 && searchDomains.length > 0 && { search: searchDomains }),
  }));
  return { links, networks, services };
}
