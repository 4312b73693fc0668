import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { instanceSchema } from "../../../installer/config-drive/instance.ts";
import { networkSchema } from "../../../installer/config-drive/network.ts";
import { validNetwork } from "./network-arbitrary.ts";

const issues = (network: unknown) => networkSchema.safeParse(network).error?.issues ?? [];
const problems = (network: unknown) => issues(network).map(({ path }) => path.join("."));
const mac = "52:54:00:12:34:56";
const mac2 = "52:54:00:12:34:57";

/** A network of one interface. */
const one = (link: object) => ({ ethernets: { a: { mac, ...link } } });
const two = (first: object, other: object) => ({ ethernets: { a: { mac, ...first }, b: { mac: mac2, ...other } } });
const bond = { links: ["a"], mode: "802.3ad" };
const to = (via: string, more: object = {}) => ({ to: "default", via, ...more });

describe("names and references", () => {
  test.each([
    ["no interface", { ethernets: {} }, ["ethernets"]],
    ["a MAC address given twice", { ethernets: { a: { mac }, b: { mac: mac.toUpperCase() } } }, ["ethernets.b.mac"]],
    ["a multicast MAC address", one({ mac: "01:54:00:12:34:56" }), ["ethernets.a.mac"]],
    ["a bond of unknown links", { ...one({}), bonds: { b: { ...bond, links: ["constructor"] } } }, ["bonds.b.links"]],
    ["a link in two bonds", { ...one({}), bonds: { b: bond, c: bond } }, ["bonds.c.links"]],
    [
      "a link in a bond and a bridge",
      { ...one({}), bonds: { b: bond }, bridges: { br0: { links: ["a"] } } },
      ["bridges.br0.links"],
    ],
    ["a VLAN on an unknown link", { ...one({}), vlans: { v: { link: "toString", id: 5 } } }, ["vlans.v.link"]],
    [
      "a VLAN on a bridge",
      { ...one({}), bridges: { br0: { links: ["a"] } }, vlans: { v: { link: "br0", id: 5 } } },
      ["vlans.v.link"],
    ],
    [
      "a VLAN id twice on a link",
      { ...one({}), vlans: { v: { link: "a", id: 5 }, w: { link: "a", id: 5 } } },
      ["vlans.w.id"],
    ],
    [
      "a VLAN on a bond's member",
      { ...one({}), bonds: { b: bond }, vlans: { v: { link: "a", id: 5 } } },
      ["bonds.b.links"],
    ],
    ["a name for two links", { ...one({}), vlans: { a: { link: "a", id: 5 } } }, [""]],
    [
      "a bond's member with an address",
      { ...one({ addresses: ["192.0.2.2/24"] }), bonds: { b: bond } },
      ["bonds.b.links"],
    ],
    [
      "a bridge's port with DHCP",
      { ...one({ dhcp6: "slaac" }), bridges: { br0: { links: ["a"] } } },
      ["bridges.br0.links"],
    ],
    ["an interface's name twice", two({ name: "lan0" }, { name: "lan0" }), ["ethernets.b.name"]],
    ["a name that cloud-init gives to bonds", one({ name: "bond0" }), ["ethernets.a.name"]],
    ["a name that Linux does not take", one({ name: "an-interface-of-mine" }), ["ethernets.a.name"]],
    [
      "a VLAN with too long a name",
      { ...one({ name: "abcdefghijkl" }), vlans: { v: { link: "a", id: 4094 } } },
      ["vlans.v.link"],
    ],
    [
      "with bridges, a link that no interface can be called like",
      { ethernets: { "a.b": { mac } }, bridges: { br0: { links: ["a.b"] } } },
      ["ethernets.a.b"],
    ],
    [
      "with bridges, a link with another's name",
      { ...two({ name: "b" }, {}), bridges: { br0: { links: ["a"] } } },
      ["ethernets.b"],
    ],
  ])("%s is refused", (_, network, paths) => expect(problems(network)).toEqual(paths));
});

describe("parameters", () => {
  test.each([
    [
      "an LACP rate without LACP",
      { ...one({}), bonds: { b: { links: ["a"], mode: "balance-rr", lacpRate: "fast" } } },
      ["bonds.b.lacpRate"],
    ],
    [
      "a hash policy without hashing",
      { ...one({}), bonds: { b: { links: ["a"], mode: "active-backup", transmitHashPolicy: "layer2" } } },
      ["bonds.b.transmitHashPolicy"],
    ],
    [
      "a primary that is not in the bond",
      { ...two({}, { name: "lan1" }), bonds: { p: { links: ["a"], mode: "active-backup", primary: "b" } } },
      ["bonds.p.primary"],
    ],
    [
      "a primary without a name",
      { ...one({}), bonds: { p: { links: ["a"], mode: "active-backup", primary: "a" } } },
      ["bonds.p.primary"],
    ],
    [
      "a VLAN with a larger MTU than its link's",
      { ...one({ mtu: 2000 }), vlans: { v: { link: "a", id: 5, mtu: 2001 } } },
      ["vlans.v.mtu"],
    ],
    [
      "a bridge with a larger MTU than a port's",
      { ...one({}), bridges: { br0: { links: ["a"], mtu: 9000 } } },
      ["bridges.br0.mtu"],
    ],
    ["a member with another MTU than its bond's", { ...one({ mtu: 9000 }), bonds: { b: bond } }, ["ethernets.a.mtu"]],
    ["an MTU too small for IPv6", one({ mtu: 1279, addresses: ["2001:db8::2/64"] }), ["ethernets.a.mtu"]],
  ])("%s is refused", (_, network, paths) => expect(problems(network)).toEqual(paths));
});

describe("addresses, gateways, routes", () => {
  test.each([
    [
      "a wrong prefix and a wrong name server",
      { ...one({ addresses: ["192.0.2.1/33"] }), nameservers: ["x"] },
      ["ethernets.a.addresses.0", "nameservers.0"],
    ],
    ["an address with a zone", one({ addresses: ["fe80::1%eth0/64"] }), ["ethernets.a.addresses.0"]],
    [
      "an address given twice",
      two({ addresses: ["2001:db8::1/64"] }, { addresses: ["2001:DB8:0::1/48"] }),
      ["ethernets.b.addresses.0"],
    ],
    [
      "a network's own address",
      one({ addresses: ["192.0.2.64/26", "2001:db8::/64"] }),
      ["ethernets.a.addresses.0", "ethernets.a.addresses.1"],
    ],
    ["a broadcast address", one({ addresses: ["192.0.2.127/26"] }), ["ethernets.a.addresses.0"]],
    [
      "loopback and multicast",
      one({ addresses: ["127.0.0.1/8", "::1/128", "ff02::1/64", "255.255.255.255/32"] }),
      [0, 1, 2, 3].map((index) => `ethernets.a.addresses.${index}`),
    ],
    [
      "a gateway outside of the link's networks",
      one({ addresses: ["192.0.2.10/26"], routes: [to("192.0.2.65")] }),
      ["ethernets.a.routes.0.via"],
    ],
    [
      "a gateway of a single address",
      one({ addresses: ["192.0.2.10/32"], routes: [to("192.0.2.1")] }),
      ["ethernets.a.routes.0.via"],
    ],
    [
      "the link's own address as gateway",
      one({ addresses: ["192.0.2.1/26"], routes: [to("192.0.2.1")] }),
      ["ethernets.a.routes.0.via"],
    ],
    [
      "a route without an address",
      one({ addresses: ["192.0.2.1/24"], routes: [to("2001:db8::1")] }),
      ["ethernets.a.routes.0.via"],
    ],
    [
      "a gateway of another family",
      one({ addresses: ["2001:db8::2/64"], routes: [{ to: "10.0.0.0/8", via: "2001:db8::1" }] }),
      ["ethernets.a.routes.0.via"],
    ],
    [
      "a destination with bits outside of its prefix",
      one({ addresses: ["192.0.2.2/24"], routes: [{ to: "10.0.0.1/8", via: "192.0.2.1" }] }),
      ["ethernets.a.routes.0.to"],
    ],
    [
      "two default routes on a link",
      one({ addresses: ["192.0.2.2/24"], routes: [to("192.0.2.1"), { to: "0.0.0.0/0", via: "192.0.2.3", metric: 5 }] }),
      ["ethernets.a.routes.1"],
    ],
    [
      "two default routes without metrics",
      two(
        { addresses: ["192.0.2.2/24"], routes: [to("192.0.2.1")] },
        { addresses: ["198.51.100.2/24"], routes: [to("198.51.100.1")] },
      ),
      ["ethernets.b.routes.0"],
    ],
    [
      "two routes with one metric",
      two(
        { addresses: ["2001:db8:1::2/64"], routes: [to("fe80::1", { metric: 7 })] },
        { addresses: ["2001:db8:2::2/64"], routes: [to("fe80::2", { metric: 7 })] },
      ),
      ["ethernets.b.routes.0"],
    ],
    ["name servers that DHCP would bring", { ...one({ dhcp4: true }), nameservers: ["192.0.2.53"] }, ["nameservers.0"]],
    [
      "a name server of a family that no link has",
      { ...one({ addresses: ["192.0.2.2/24"] }), nameservers: ["2001:db8::53"] },
      ["nameservers.0"],
    ],
    [
      "search domains that go with no address",
      { ...one({ dhcp4: true }), searchDomains: ["example.net"] },
      ["searchDomains"],
    ],
  ])("%s is refused", (_, network, paths) => expect(problems(network)).toEqual(paths));

  test.each([
    [
      "both addresses of a /31 and a /127",
      two({ addresses: ["192.0.2.0/31", "2001:db8::/127"], routes: [to("192.0.2.1"), to("2001:db8::1")] }, {}),
    ],
    ["a gateway that is link-local", one({ addresses: ["2001:db8::2/128"], routes: [to("fe80::1")] })],
    [
      "a default route of each family on a link",
      one({ addresses: ["192.0.2.2/24", "2001:db8::2/64"], routes: [to("192.0.2.1"), to("2001:db8::1")] }),
    ],
    [
      "two default routes with metrics",
      two(
        { addresses: ["192.0.2.2/24"], routes: [to("192.0.2.1")] },
        { addresses: ["198.51.100.2/24"], routes: [to("198.51.100.1", { metric: 200 })] },
      ),
    ],
    ["a VLAN id on two links", { ...two({}, {}), vlans: { v: { link: "a", id: 5 }, w: { link: "b", id: 5 } } }],
    [
      "a name server beside an address by router advertisements",
      { ...one({ addresses: ["192.0.2.2/24"], dhcp6: "slaac" }), nameservers: ["2001:db8::53"] },
    ],
    [
      "jumbo frames through a bond and a VLAN",
      { ...one({ mtu: 9000 }), bonds: { b: { ...bond, mtu: 9000 } }, vlans: { v: { link: "b", id: 5, mtu: 9000 } } },
    ],
    [
      "with bridges, a primary by its link's name",
      {
        ...one({}),
        bonds: { bond0: { links: ["a"], mode: "active-backup", primary: "a" } },
        bridges: { br0: { links: ["bond0"] } },
      },
    ],
  ])("%s is taken", (_, network) => expect(issues(network)).toEqual([]));
});

test("a message names what is in the way", () => {
  const network = {
    ...two({ addresses: ["192.0.2.2/24"] }, { addresses: ["192.0.2.2/24"] }),
    bonds: { p: { ...bond, links: ["b"] } },
  };
  expect(issues(network).map(({ message }) => message)).toEqual([
    "b has addresses, DHCP or routes, which belong to p",
    "a has this address already",
  ]);
});

test("the job tells where in instance.network the mistake is", () => {
  const { error } = instanceSchema.safeParse({ hostname: "a", network: one({ mtu: 1 }) });
  expect(error?.issues.map(({ path }) => path.join("."))).toEqual(["network.ethernets.a.mtu"]);
});

test("every network of the generator is valid", () => {
  fc.assert(
    fc.property(validNetwork, (network) => {
      expect(issues(network)).toEqual([]);
    }),
  );
});

test("no text where an address, a network or a name should be makes the checks fail by themselves", () => {
  const text = fc.oneof(
    fc.string(),
    fc.ipV4(),
    fc.ipV6(),
    fc.constantFrom("192.0.2.1/24", "::/0", "1.2.3.4/99", "/", "__proto__"),
  );
  const link = fc.record({
    mac: fc.constant(mac),
    addresses: fc.array(text),
    routes: fc.array(fc.record({ to: text, via: text })),
  });
  const network = fc.record({
    ethernets: fc.dictionary(text, link),
    vlans: fc.dictionary(text, fc.record({ link: text, id: fc.integer() })),
    bridges: fc.dictionary(text, fc.record({ links: fc.array(text) })),
    nameservers: fc.array(text),
  });
  fc.assert(
    fc.property(network, (value) => {
      expect(networkSchema.safeParse(value)).toHaveProperty("success");
    }),
  );
});
