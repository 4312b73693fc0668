import { isIPv4, isIPv6 } from "node:net";
import { z } from "zod";

const mac = z
  .string()
  .regex(/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/i, "expected a MAC address such as 52:54:00:12:34:56")
  .toLowerCase();
const ipAddress = z.string().refine((text) => isIPv4(text) || isIPv6(text), "expected an IPv4 or IPv6 address");
const linkName = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/i, "expected a name such as uplink");
const mtu = z.number().int().min(576).max(65535);

function isSubnet(text: string): boolean {
  const [address = "", prefix = "", ...rest] = text.split("/");
  if (rest.length > 0 || !/^\d{1,3}$/.test(prefix)) return false;
  return (isIPv4(address) && Number(prefix) <= 32) || (isIPv6(address) && Number(prefix) <= 128);
}
const subnet = z.string().refine(isSubnet, "expected an address and prefix length such as 192.0.2.10/24");

const route = z
  .strictObject({
    /** `default`, or a destination such as 10.0.0.0/8. */
    to: z.union([z.literal("default"), subnet], "expected default, or a network such as 10.0.0.0/8"),
    via: ipAddress,
  })
  .refine(({ to, via }) => to === "default" || isIPv6(via) === to.includes(":"), {
    path: ["via"],
    message: "expected a gateway of the same address family as the destination",
  });

/** What every kind of link may carry. */
const addressing = {
  mtu: mtu.optional(),
  dhcp4: z.boolean().default(false),
  dhcp6: z.boolean().default(false),
  addresses: z.array(subnet).default([]),
  routes: z.array(route).default([]),
};

const ethernet = z.strictObject({ ...addressing, mac });

const bond = z.strictObject({
  ...addressing,
  links: z.array(linkName).min(1),
  mode: z.enum(["balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"]),
  /** Milliseconds between link checks. */
  miimon: z.number().int().positive().default(100),
});

const vlan = z.strictObject({ ...addressing, link: linkName, id: z.number().int().min(1).max(4094) });

type Network = {
  ethernets: Record<string, z.infer<typeof ethernet>>;
  bonds: Record<string, z.infer<typeof bond>>;
  vlans: Record<string, z.infer<typeof vlan>>;
};

/**
 * What fits no single field: names that mean nothing or two things, MAC addresses given twice, routes that no address
 * can carry.
 */
function checkReferences(network: Network, context: z.core.$RefinementCtx<Network>): void {
  const complain = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
  const names = [network.ethernets, network.bonds, network.vlans].flatMap((links) => Object.keys(links));
  for (const name of new Set(names.filter((name, index) => names.indexOf(name) !== index))) {
    complain([], `the name ${name} is given to two links`);
  }

  const nameOfMac = new Map<string, string>();
  for (const [name, { mac }] of Object.entries(network.ethernets)) {
    const other = nameOfMac.get(mac);
    if (other !== undefined) complain(["ethernets", name, "mac"], `${other} has the MAC address ${mac} already`);
    nameOfMac.set(mac, name);
  }

  const bondOfLink = new Map<string, string>();
  for (const [name, { links }] of Object.entries(network.bonds)) {
    for (const link of links) {
      const other = bondOfLink.get(link);
      if (!Object.hasOwn(network.ethernets, link)) complain(["bonds", name, "links"], `there is no ethernet ${link}`);
      if (other !== undefined) complain(["bonds", name, "links"], `${link} belongs to ${other} already`);
      bondOfLink.set(link, name);
    }
  }

  for (const [name, { link }] of Object.entries(network.vlans)) {
    if (!Object.hasOwn({ ...network.ethernets, ...network.bonds }, link)) {
      complain(["vlans", name, "link"], `there is no ethernet or bond ${link}`);
    }
  }

  for (const kind of ["ethernets", "bonds", "vlans"] as const) {
    for (const [name, { addresses, routes }] of Object.entries(network[kind])) {
      for (const [index, { via }] of routes.entries()) {
        if (addresses.some((address: string) => isIPv6(via) === address.includes(":"))) continue;
        complain([kind, name, "routes", String(index), "via"], "the link has no static address of this address family");
      }
    }
  }
}

/**
 * The job's `instance.network`. Links are found by their MAC address; their names serve only as references within the
 * job, for the kernel and cloud-init name the interfaces.
 */
export const networkSchema = z
  .strictObject({
    ethernets: z.record(linkName, ethernet),
    bonds: z.record(linkName, bond).default({}),
    vlans: z.record(linkName, vlan).default({}),
    nameservers: z.array(ipAddress).default([]),
  })
  .superRefine(checkReferences);

export type InstanceNetwork = z.infer<typeof networkSchema>;
export type LinkAddressing = Pick<InstanceNetwork["ethernets"][string], keyof typeof addressing>;
