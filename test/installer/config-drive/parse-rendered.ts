import { parse } from "yaml";
import { z } from "zod";
import { parseAddress, parseSubnet } from "../../../installer/config-drive/address.ts";
import type { Rendered } from "./render.ts";

/** What one interface gets, in one form for all renderers: sorted, addresses as numbers. */
interface InterfaceFacts {
  addresses: string[];
  /** Destination, gateway. */
  routes: string[];
}

export type NetworkFacts = Record<string, InterfaceFacts>;

/** The same address always gives the same text, however it was written. */
export function subnetKey(text: string): string {
  const subnet = parseSubnet(text);
  if (!subnet) throw new Error(`${text} is no address with a prefix length`);
  return `${subnet.isV6 ? "v6" : "v4"} ${subnet.value.toString(16)}/${subnet.prefixLength}`;
}

export function routeKey(to: string, via: string): string {
  const gateway = parseAddress(via);
  if (!gateway) throw new Error(`${via} is no address`);
  const destination = to === "default" ? (gateway.isV6 ? "::/0" : "0.0.0.0/0") : to;
  return `${subnetKey(destination)} via ${gateway.value.toString(16)}`;
}

export function collect(entries: readonly { name: string; addresses: string[]; routes: string[] }[]): NetworkFacts {
  const facts: NetworkFacts = {};
  for (const { name, addresses, routes } of entries) {
    const { addresses: before = [], routes: routesBefore = [] } = facts[name] ?? {};
    facts[name] = { addresses: [...before, ...addresses].sort(), routes: [...routesBefore, ...routes].sort() };
  }
  return facts;
}

const netplanLink = z.object({
  addresses: z.array(z.string()).default([]),
  routes: z.array(z.object({ to: z.string(), via: z.string() })).default([]),
});
const netplanSchema = z.object({ network: z.record(z.string(), z.unknown()) });

function fromNetplan(files: Rendered["netplan"]): NetworkFacts {
  const { version: _, ...sections } = netplanSchema.parse(parse(files["netplan.yaml"] ?? "")).network;
  const links = Object.values(sections).flatMap((section) =>
    Object.entries(z.record(z.string(), netplanLink).parse(section)),
  );
  return collect(
    links.map(([name, { addresses, routes }]) => ({
      name,
      addresses: addresses.map(subnetKey),
      routes: routes.map(({ to, via }) => routeKey(to, via)),
    })),
  );
}

/** Stanzas of interfaces(5); routes are commands of theirs, of route(8) or, in newer cloud-inits, of ip-route(8). */
function fromEni(files: Rendered["eni"]): NetworkFacts {
  const stanzas = (files.interfaces ?? "").split(/^(?=iface )/m).slice(1);
  const all = stanzas.map((stanza) => ({
    name: /^iface (\S+)/.exec(stanza)?.[1] ?? "",
    addresses: [...stanza.matchAll(/^ +address (\S+)$/gm)].map(([, address = ""]) => subnetKey(address)),
    routes: [...stanza.matchAll(/^ +post-up .*route add (?:-A inet6 )?(?:-net |-host )?(\S+) (?:gw|via) (\S+)/gm)].map(
      ([, to = "", via = ""]) => routeKey(to, via),
    ),
  }));
  return collect(all.filter(({ name }) => name !== "lo"));
}

const variables = (text: string): Map<string, string> =>
  new Map([...text.matchAll(/^(\w+)="?([^"\n]*)"?$/gm)].map(([, key = "", value = ""]) => [key, value]));

const prefixLength = (netmask: string): number =>
  netmask.split(".").reduce((sum, part) => sum + Number(part).toString(2).replaceAll("0", "").length, 0);

/** network-scripts(5): ifcfg-NAME, and route-NAME with numbered variables, route6-NAME with arguments of ip(8). */
function fromSysconfig(files: Rendered["sysconfig"]): NetworkFacts {
  const all = Object.entries(files).flatMap(([path, text]) => {
    const [, kind, name] = /network-scripts\/(ifcfg|route|route6)-(.+)$/.exec(path) ?? [];
    if (kind === undefined || name === undefined) return [];
    const values = variables(text);
    const value = (key: string) => values.get(key) ?? "";
    const numbered = (key: string) => [...values.keys()].filter((other) => new RegExp(`^${key}\\d*$`).test(other));
    if (kind === "route6") {
      const routes = [...text.matchAll(/^(\S+) via (\S+)/gm)].map(([, to = "", via = ""]) => routeKey(to, via));
      return { name, addresses: [], routes };
    }
    if (kind === "route") {
      const routes = numbered("ADDRESS").map((key) => {
        const index = key.slice("ADDRESS".length);
        return routeKey(`${value(key)}/${prefixLength(value(`NETMASK${index}`))}`, value(`GATEWAY${index}`));
      });
      return { name, addresses: [], routes };
    }
    const v4 = numbered("IPADDR").map(
      (key) => `${value(key)}/${prefixLength(value(key.replace("IPADDR", "NETMASK")))}`,
    );
    const v6 = [value("IPV6ADDR"), ...value("IPV6ADDR_SECONDARIES").split(" ")].filter((address) => address !== "");
    const gateways = [value("GATEWAY"), value("IPV6_DEFAULTGW")].filter((gateway) => gateway !== "");
    return {
      name,
      addresses: [...v4, ...v6].map(subnetKey),
      routes: gateways.map((gateway) => routeKey("default", gateway)),
    };
  });
  return collect(all);
}

/** nm-settings-keyfile(5): addressN and routeN. */
function fromNetworkManager(files: Rendered["networkManager"]): NetworkFacts {
  const all = Object.entries(files).flatMap(([path, text]) => {
    const name = /cloud-init-(.+)\.nmconnection$/.exec(path)?.[1];
    if (name === undefined) return [];
    const addresses = [...text.matchAll(/^address\d+=(\S+)$/gm)].map(([, address = ""]) => subnetKey(address));
    const routes = [...text.matchAll(/^route\d+=([^,\s]+),([^,\s]+)/gm)].map(([, to = "", via = ""]) =>
      routeKey(to, via),
    );
    return { name, addresses, routes };
  });
  return collect(all);
}

/** What each renderer's files say, by interface. */
export function parseRendered({
  netplan,
  eni,
  sysconfig,
  networkManager,
}: Rendered): Record<keyof Rendered, NetworkFacts> {
  return {
    netplan: fromNetplan(netplan),
    eni: fromEni(eni),
    sysconfig: fromSysconfig(sysconfig),
    networkManager: fromNetworkManager(networkManager),
  };
}
