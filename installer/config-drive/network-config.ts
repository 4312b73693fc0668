import { hasBridges, interfaceNames } from "./interface-name.ts";
import { staticNetworks } from "./link-networks.ts";
import type { InstanceNetwork, LinkAddressing } from "./network.ts";

const v6Types = { true: "dhcp6", slaac: "ipv6_slaac", stateless: "ipv6_dhcpv6-stateless" } as const;

/** What cloud-init's own conversion of network_data.json makes of a link's networks. */
function subnets(link: LinkAddressing, network: InstanceNetwork) {
  const { dhcp4, dhcp6 } = link;
  const fixed = staticNetworks(link, network).map(({ isV6, address, prefixLength, routes, ...names }) => ({
    type: isV6 ? "static6" : "static",
    [isV6 ? "ipv6" : "ipv4"]: true,
    address: `${address}/${prefixLength}`,
    ...(routes.length > 0 && { routes }),
    ...(names.nameservers.length > 0 && { dns_nameservers: names.nameservers }),
    ...(names.searchDomains.length > 0 && { dns_search: names.searchDomains }),
  }));
  return [
    ...(dhcp4 ? [{ type: "dhcp4" }] : []),
    ...(dhcp6 === false ? [] : [{ type: v6Types[dhcp6 === true ? "true" : dhcp6] }]),
    ...fixed,
  ];
}

/**
 * The whole network as cloud-init's network configuration version 1
 * (https://docs.cloud-init.io/en/latest/reference/network-config-format-v1.html), every interface by its name. In the
 * system's configuration it goes before what a data source says (cloudinit/sources/__init__.py,
 * `network_config_sources`).
 */
function networkConfig(network: InstanceNetwork) {
  const { ethernets, bonds, vlans, bridges, nameservers, searchDomains } = network;
  const names = interfaceNames(network);
  const nameOf = (link: string) => names.get(link) ?? link;
  const common = (link: string, addressing: LinkAddressing) => ({
    name: nameOf(link),
    ...(addressing.mtu !== undefined && { mtu: addressing.mtu }),
    subnets: subnets(addressing, network),
  });
  const config = [
    ...Object.entries(ethernets).map(([link, ethernet]) => ({
      type: "physical",
      mac_address: ethernet.mac,
      ...common(link, ethernet),
    })),
    ...Object.entries(bonds).map(([link, bond]) => ({
      type: "bond",
      bond_interfaces: bond.links.map(nameOf),
      params: bondParameters(bond, nameOf),
      ...common(link, bond),
    })),
    ...Object.entries(vlans).map(([link, vlan]) => ({
      type: "vlan",
      vlan_link: nameOf(vlan.link),
      vlan_id: vlan.id,
      ...common(link, vlan),
    })),
    ...Object.entries(bridges).map(([link, bridge]) => ({
      type: "bridge",
      bridge_interfaces: bridge.links.map(nameOf),
      params: { bridge_stp: bridge.stp },
      ...common(link, bridge),
    })),
    ...(nameservers.length > 0 ? [{ type: "nameserver", address: nameservers, search: searchDomains }] : []),
  ];
  return { network: { version: 1, config } };
}

function bondParameters(bond: InstanceNetwork["bonds"][string], nameOf: (link: string) => string) {
  const parameters = {
    "bond-mode": bond.mode,
    "bond-miimon": bond.miimon,
    "bond-updelay": bond.updelay,
    "bond-downdelay": bond.downdelay,
    "bond-lacp-rate": bond.lacpRate,
    "bond-xmit-hash-policy": bond.transmitHashPolicy,
    "bond-min-links": bond.minLinks,
    "bond-primary": bond.primary === undefined ? undefined : nameOf(bond.primary),
  };
  return Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== undefined));
}

/**
 * The files of the target that say what the config drive cannot: a network with bridges. None for any other network.
 * They sort behind every other file of cloud.cfg.d that an image is likely to have.
 */
export function networkConfigFiles(network: InstanceNetwork | undefined): NetworkConfigFile[] {
  if (!network || !hasBridges(network)) return [];
  // JSON is YAML whose texts are all quoted: cloud-init's parser takes a plain 52:54:00:00:00:01 for a number.
  const content = `${JSON.stringify(networkConfig(network), undefined, 2)}\n`;
  return [{ path: "/etc/cloud/cloud.cfg.d/99-metalcast-network.cfg", mode: 0o644, content }];
}

interface NetworkConfigFile {
  path: string;
  mode: number;
  content: string;
}
