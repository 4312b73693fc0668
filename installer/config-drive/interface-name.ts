import type { InstanceNetwork } from "./network.ts";

/** dev_valid_name in net/core/dev.c, without what would have to be quoted somewhere; IFNAMSIZ is 16 with the final zero. */
const interfaceName = /^[a-z][a-z0-9_-]{0,14}$/i;

/** What an interface may be called by a job. `bond0` and so on are cloud-init's, `lo` and `all` the kernel's own. */
export function isInterfaceName(name: string): boolean {
  return interfaceName.test(name) && !/^(?:bond\d+|bonding_masters|lo|all|default)$/.test(name);
}

export const longestInterfaceName = 15;

/**
 * network_data.json has no bridges that cloud-init reads (cloudinit/sources/helpers/openstack.py, convert_net_json:
 * its type `bridge` is an interface plugged into a bridge of the cloud's host). A job with bridges goes another way,
 * where every interface must have a name.
 */
export const hasBridges = ({ bridges }: Pick<InstanceNetwork, "bridges">) => Object.keys(bridges).length > 0;

/** The interfaces' names where the job gives them all: every link has its own name, a VLAN `<interface>.<id>`. */
export function interfaceNames({ ethernets, bonds, vlans, bridges }: InstanceNetwork): Map<string, string> {
  const names = new Map<string, string>();
  for (const [link, { name }] of Object.entries(ethernets)) names.set(link, name ?? link);
  for (const link of [...Object.keys(bonds), ...Object.keys(bridges)]) names.set(link, link);
  for (const [link, vlan] of Object.entries(vlans)) names.set(link, `${names.get(vlan.link)}.${vlan.id}`);
  return names;
}
