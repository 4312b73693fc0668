import fc from "fast-check";
import { expect, test } from "vitest";
import { parse } from "yaml";
import type { z } from "zod";
import { hasBridges, interfaceNames } from "../../../installer/config-drive/interface-name.ts";
import { type InstanceNetwork, networkSchema } from "../../../installer/config-drive/network.ts";
import { networkConfigFiles } from "../../../installer/config-drive/network-config.ts";
import { validNetwork } from "./network-arbitrary.ts";
import { collect, type NetworkFacts, parseRendered, routeKey, subnetKey } from "./parse-rendered.ts";
import { renderNetworks } from "./render.ts";

/** How cloud-init calls the links: by the job's names with bridges, else by its own for bonds and the kernel's. */
function namesOf(network: InstanceNetwork): Map<string, string> {
  if (hasBridges(network)) return interfaceNames(network);
  const names = new Map<string, string>();
  for (const [index, [link, { name }]] of Object.entries(network.ethernets).entries()) {
    names.set(link, name ?? `eth${index}`);
  }
  for (const [index, link] of Object.keys(network.bonds).entries()) names.set(link, `bond${index}`);
  for (const [link, vlan] of Object.entries(network.vlans)) names.set(link, `${names.get(vlan.link)}.${vlan.id}`);
  return names;
}

const linksOf = ({ ethernets, bonds, vlans, bridges }: InstanceNetwork) =>
  Object.entries({ ...ethernets, ...bonds, ...vlans, ...bridges });

function wanted(network: InstanceNetwork): NetworkFacts {
  const names = namesOf(network);
  return collect(
    linksOf(network).map(([link, { addresses, routes }]) => ({
      name: names.get(link) ?? link,
      addresses: addresses.map(subnetKey),
      routes: routes.map(({ to, via }) => routeKey(to, via)),
    })),
  );
}

test("whatever network a job may ask for, every renderer of cloud-init gives each interface all of its addresses and routes, and no others", async () => {
  const someNetworks = fc.array(validNetwork, { minLength: 40, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(someNetworks, async (inputs) => {
      const rendered = await renderNetworks(inputs);
      for (const [index, input] of inputs.entries()) {
        const expected = wanted(networkSchema.parse(input));
        const seen = rendered[index];
        if (!seen) throw new Error("a network was not rendered");
        expect(parseRendered(seen)).toEqual({
          netplan: expected,
          eni: expected,
          sysconfig: expected,
          networkManager: expected,
        });
      }
    }),
    { numRuns: 3, endOnFailure: true },
  );
});

test("MTUs, DHCP, name servers and search domains arrive in netplan, where they belong", async () => {
  const someNetworks = fc.array(validNetwork, { minLength: 40, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(someNetworks, async (inputs) => {
      const rendered = await renderNetworks(inputs);
      for (const [index, input] of inputs.entries()) {
        const network = networkSchema.parse(input);
        const { version: _, ...sections } = parse(rendered[index]?.netplan["netplan.yaml"] ?? "").network;
        const seen = Object.assign({}, ...Object.values(sections));
        const names = namesOf(network);
        for (const [link, { mtu, dhcp4, dhcp6, addresses }] of linksOf(network)) {
          const entry = seen[names.get(link) ?? link];
          expect(entry.mtu).toBe(mtu);
          expect(entry.dhcp4 ?? false).toBe(dhcp4);
          expect(entry.dhcp6 ?? false).toBe(dhcp6 !== false);
          if (addresses.length === 0) continue;
          expect(entry.nameservers?.search ?? []).toEqual(network.searchDomains);
        }
        const servers = Object.values<{ nameservers?: { addresses?: string[] } }>(seen).flatMap(
          ({ nameservers }) => nameservers?.addresses ?? [],
        );
        expect(new Set(servers)).toEqual(new Set(network.nameservers));
      }
    }),
    { numRuns: 2, endOnFailure: true },
  );
});

const mac = (last: number) => `52:54:00:00:00:0${last}`;

async function render(network: z.input<typeof networkSchema>) {
  const [rendered] = await renderNetworks([network]);
  if (!rendered) throw new Error("the network was not rendered");
  return rendered;
}

test("a bond's parameters, a VLAN on it, a bond's own names for its links", async () => {
  const { netplan, eni, sysconfig } = await render({
    ethernets: { left: { mac: mac(0), name: "lan0" }, right: { mac: mac(1) } },
    bonds: {
      pair: {
        links: ["left", "right"],
        mode: "802.3ad",
        lacpRate: "fast",
        transmitHashPolicy: "layer3+4",
        minLinks: 1,
      },
    },
    vlans: { storage: { link: "pair", id: 42, addresses: ["10.42.0.5/24"] } },
  });
  const { network } = parse(netplan["netplan.yaml"] ?? "");
  expect(network.bonds.bond0).toMatchObject({
    interfaces: ["eth1", "lan0"],
    parameters: {
      mode: "802.3ad",
      "mii-monitor-interval": 100,
      "lacp-rate": "fast",
      "transmit-hash-policy": "layer3+4",
      "min-links": 1,
    },
  });
  expect(network.ethernets.lan0).toEqual({ match: { macaddress: mac(0) }, "set-name": "lan0" });
  expect(network.vlans["bond0.42"]).toMatchObject({ id: 42, link: "bond0", addresses: ["10.42.0.5/24"] });
  expect(eni.interfaces).toMatch(/^iface bond0\.42 inet static\n {4}address 10\.42\.0\.5\/24$/m);
  expect(sysconfig["etc/sysconfig/network-scripts/ifcfg-bond0"]).toContain(
    'BONDING_OPTS="mode=802.3ad xmit_hash_policy=layer3+4 miimon=100 min_links=1 lacp_rate=fast"',
  );
});

test("a bond's primary is told by its interface's name", async () => {
  const { netplan } = await render({
    ethernets: { left: { mac: mac(0), name: "lan0" }, right: { mac: mac(1) } },
    bonds: { pair: { links: ["left", "right"], mode: "active-backup", primary: "left", dhcp4: true } },
  });
  const { network } = parse(netplan["netplan.yaml"] ?? "");
  expect(network.bonds.bond0).toMatchObject({ parameters: { primary: "lan0" }, dhcp4: true });
});

test("a bridge over a VLAN of a bond, for every renderer", async () => {
  const { netplan, eni, sysconfig, networkManager } = await render({
    ethernets: { lan0: { mac: mac(0) }, lan1: { mac: mac(1) } },
    bonds: { uplink: { links: ["lan0", "lan1"], mode: "active-backup", primary: "lan1" } },
    vlans: { guests: { link: "uplink", id: 7 } },
    bridges: { br0: { links: ["guests"], addresses: ["192.0.2.10/24", "2001:db8::10/64"] } },
    nameservers: ["192.0.2.53"],
  });
  const { network } = parse(netplan["netplan.yaml"] ?? "");
  expect(network).toMatchObject({
    ethernets: { lan0: { match: { macaddress: mac(0) }, "set-name": "lan0" } },
    bonds: { uplink: { interfaces: ["lan0", "lan1"], parameters: { mode: "active-backup", primary: "lan1" } } },
    vlans: { "uplink.7": { id: 7, link: "uplink" } },
    bridges: {
      br0: {
        interfaces: ["uplink.7"],
        parameters: { stp: false },
        addresses: ["192.0.2.10/24", "2001:db8::10/64"],
        nameservers: { addresses: ["192.0.2.53"] },
      },
    },
  });
  expect(eni.interfaces).toMatch(
    /^iface br0 inet static\n {4}address 192\.0\.2\.10\/24\n(?: {4}.*\n)* {4}bridge_ports uplink\.7\n {4}bridge_stp off$/m,
  );
  expect(sysconfig["etc/sysconfig/network-scripts/ifcfg-br0"]).toMatch(/^STP=no$/m);
  expect(sysconfig["etc/sysconfig/network-scripts/ifcfg-uplink.7"]).toMatch(/^BRIDGE=br0$/m);
  const profile = networkManager["etc/NetworkManager/system-connections/cloud-init-br0.nmconnection"];
  expect(profile).toMatch(/^type=bridge$/m);
  expect(profile).toMatch(/^stp=false$/m);
});

test("only a network with bridges gets a file in the target", () => {
  const lan = { ethernets: { lan0: { mac: mac(0) } } };
  expect(networkConfigFiles(undefined)).toEqual([]);
  expect(networkConfigFiles(networkSchema.parse(lan))).toEqual([]);
  const [file] = networkConfigFiles(
    networkSchema.parse({ ...lan, bridges: { br0: { links: ["lan0"], dhcp4: true } } }),
  );
  expect(file).toMatchObject({ path: "/etc/cloud/cloud.cfg.d/99-metalcast-network.cfg", mode: 0o644 });
});
