import { z } from "zod";
import { parseAddress, parseSubnet } from "./address.ts";
import { checkAddresses } from "./check-addresses.ts";
import { checkLinks } from "./check-links.ts";
import { checkNames } from "./check-names.ts";
import { hostname } from "./hostname.ts";

const mac = z
  .string()
  .regex(/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/i, "expected a MAC address such as 52:54:00:12:34:56")
  .toLowerCase()
  // The first byte's lowest bit marks a group address (RFC 9542, section 2.1), which no interface has as its own.
  .refine((text) => Number.parseInt(text.slice(0, 2), 16) % 2 === 0, "a multicast address belongs to no interface");
const ipAddress = z.string().refine((text) => parseAddress(text) !== undefined, "expected an IPv4 or IPv6 address");
const linkName = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/i, "expected a name such as uplink");
const mtu = z.number().int().min(576).max(65535);
const milliseconds = z.number().int().nonnegative();

const subnet = z
  .string()
  .refine((text) => parseSubnet(text) !== undefined, "expected an address and prefix length such as 192.0.2.10/24");

const route = z
  .strictObject({
    /** `default`, or a destination such as 10.0.0.0/8. */
    to: z.union([z.literal("default"), subnet], "expected default, or a network such as 10.0.0.0/8"),
    via: ipAddress,
    /** Of two routes to one destination the one with the lower metric is taken. */
    metric: z.number().int().min(1).max(0xffffffff).optional(),
  })
  .refine(({ to, via }) => to === "default" || via.includes(":") === to.includes(":"), {
    path: ["via"],
    message: "expected a gateway of the same address family as the destination",
  });

/** What every kind of link may carry. */
const addressing = {
  mtu: mtu.optional(),
  dhcp4: z.boolean().default(false),
  /** `true`: an address by DHCPv6. `slaac`: by router advertisements. `stateless`: so too, with DHCPv6 for the rest. */
  dhcp6: z.union([z.boolean(), z.enum(["slaac", "stateless"])]).default(false),
  addresses: z.array(subnet).default([]),
  routes: z.array(route).default([]),
};

const ethernet = z.strictObject({
  ...addressing,
  mac,
  /** What the interface is called on the server. Without one, it keeps the kernel's name. */
  name: z.string().optional(),
});

/** Linux Ethernet Bonding Driver HOWTO (Documentation/networking/bonding.rst), section 2, has every parameter. */
const bond = z.strictObject({
  ...addressing,
  links: z.array(linkName).min(1),
  mode: z.enum(["balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"]),
  /** Milliseconds between link checks. */
  miimon: z.number().int().positive().default(100),
  updelay: milliseconds.optional(),
  downdelay: milliseconds.optional(),
  lacpRate: z.enum(["slow", "fast"]).optional(),
  transmitHashPolicy: z.enum(["layer2", "layer2+3", "layer3+4", "encap2+3", "encap3+4"]).optional(),
  minLinks: z.number().int().positive().optional(),
  primary: linkName.optional(),
});

const vlan = z.strictObject({ ...addressing, link: linkName, id: z.number().int().min(1).max(4094) });

const bridge = z.strictObject({
  ...addressing,
  links: z.array(linkName).min(1),
  /** The spanning tree protocol. */
  stp: z.boolean().default(false),
});

const fieldsSchema = z.strictObject({
  ethernets: z
    .record(linkName, ethernet)
    .refine((links) => Object.keys(links).length > 0, "expected at least one interface with its MAC address"),
  bonds: z.record(linkName, bond).default({}),
  vlans: z.record(linkName, vlan).default({}),
  bridges: z.record(linkName, bridge).default({}),
  nameservers: z.array(ipAddress).default([]),
  searchDomains: z.array(hostname).default([]),
});

export type InstanceNetwork = z.infer<typeof fieldsSchema>;
export type LinkAddressing = Pick<InstanceNetwork["ethernets"][string], keyof typeof addressing>;

/** What fits no single field, and where it is told. */
export interface NetworkProblem {
  path: (string | number)[];
  message: string;
}

/**
 * The job's `instance.network`. Links are found by their MAC address; their names serve as references within the job,
 * and with bridges as the interfaces' names.
 */
export const networkSchema = fieldsSchema.superRefine((network, context) => {
  const problems = [...checkNames(network), ...checkLinks(network), ...checkAddresses(network)];
  for (const problem of problems) context.addIssue({ code: "custom", ...problem });
});
