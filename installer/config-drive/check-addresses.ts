import { type Address, contains, parseAddress, parseSubnet, type Subnet } from "./address.ts";
import { nameserversOf } from "./link-networks.ts";
import type { InstanceNetwork, LinkAddressing, NetworkProblem } from "./network.ts";

interface Link {
  path: [kind: string, name: string];
  addressing: LinkAddressing;
}

/** Addresses that no host can have or two have, gateways out of reach, routes that contradict each other, lost DNS. */
export function checkAddresses(network: InstanceNetwork): NetworkProblem[] {
  const links = (["ethernets", "bonds", "vlans", "bridges"] as const).flatMap((kind) =>
    Object.entries(network[kind]).map(([name, addressing]): Link => ({ path: [kind, name], addressing })),
  );
  return [
    ...addressProblems(links),
    ...links.flatMap(gatewayProblems),
    ...routeProblems(links),
    ...nameProblems(network, links),
  ];
}

function addressProblems(links: readonly Link[]): NetworkProblem[] {
  const ownerOf = new Map<string, string>();
  return links.flatMap(({ path, addressing }) =>
    addressing.addresses.flatMap((text, index): NetworkProblem[] => {
      const subnet = parseSubnet(text);
      if (!subnet) return [];
      const key = keyOf(subnet);
      const owner = ownerOf.get(key);
      ownerOf.set(key, path[1]);
      const message = unfit(subnet) ?? (owner === undefined ? undefined : `${owner} has this address already`);
      return message === undefined ? [] : [{ path: [...path, "addresses", index], message }];
    }),
  );
}

const keyOf = ({ isV6, value }: Address) => `${isV6 ? 6 : 4} ${value}`;

/** RFC 6890's special addresses, named by one of their networks each. */
const neverHosts = ["0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/127", "ff00::/8"].flatMap(
  (text) => parseSubnet(text) ?? [],
);

/** Why no host can have that address. Networks of two addresses have only hosts: RFC 3021 and RFC 6164. */
function unfit(subnet: Subnet): string | undefined {
  if (neverHosts.some((network) => contains(network, subnet))) {
    return "no interface has this address: it is unspecified, loopback, multicast or reserved";
  }
  if (subnet.last - subnet.first < 3n) return undefined;
  if (subnet.value === subnet.first) return "this is the network's own address, not a host's";
  return !subnet.isV6 && subnet.value === subnet.last
    ? "this is the network's broadcast address, not a host's"
    : undefined;
}

const linkLocal = parseSubnet("fe80::/10");

function gatewayProblems({ path, addressing: { addresses, routes } }: Link): NetworkProblem[] {
  const own = addresses.flatMap((text) => parseSubnet(text) ?? []);
  return routes.flatMap(({ to, via }, index): NetworkProblem[] => {
    const at = (field: string, message: string) => [{ path: [...path, "routes", index, field], message }];
    const destination = to === "default" ? undefined : parseSubnet(to);
    if (destination && destination.value !== destination.first) {
      return at("to", "bits of it lie outside of its prefix: expected a network such as 10.0.0.0/8");
    }
    const gateway = parseAddress(via);
    if (!gateway) return [];
    const family = own.filter(({ isV6 }) => isV6 === gateway.isV6);
    if (family.length === 0) return at("via", "the link has no static address of this address family");
    if (family.some(({ value }) => value === gateway.value)) return at("via", "this is an address of the link itself");
    if (linkLocal && contains(linkLocal, gateway)) return [];
    // cloud-init has no way to say "on-link" in network_data.json, and without it the kernel refuses the route.
    if (!family.some((subnet) => contains(subnet, gateway)))
      return at("via", "the gateway lies in no network of this link");
    return [];
  });
}

/** One destination is reached one way, unless metrics say which is tried first. */
function routeProblems(links: readonly Link[]): NetworkProblem[] {
  const takenBy = new Map<string, string>();
  return links.flatMap(({ path, addressing: { routes } }) => {
    const defaults = new Set<boolean>();
    return routes.flatMap(({ to, via, metric }, index): NetworkProblem[] => {
      const isV6 = via.includes(":");
      const subnet = parseSubnet(to === "default" ? (isV6 ? "::/0" : "0.0.0.0/0") : to);
      if (!subnet) return [];
      const isDefault = subnet.prefixLength === 0;
      const at = [...path, "routes", index];
      // cloud-init's sysconfig renderer refuses a second one, whatever the metrics are.
      const isSecond = isDefault && defaults.has(isV6);
      if (isDefault) defaults.add(isV6);
      if (isSecond) return [{ path: at, message: "the link has a default route of this address family already" }];
      const key = `${keyOf({ isV6, value: subnet.first })}/${subnet.prefixLength} ${metric ?? ""}`;
      const other = takenBy.get(key);
      takenBy.set(key, path[1]);
      if (other === undefined) return [];
      return [{ path: at, message: `${other} has a route to the same destination: give them different metrics` }];
    });
  });
}

/** cloud-init's netplan renderer takes name servers and search domains along with static addresses only. */
function nameProblems({ nameservers, searchDomains }: InstanceNetwork, links: readonly Link[]): NetworkProblem[] {
  const lost = nameservers.flatMap((server, index) =>
    links.some(({ addressing }) => nameserversOf(addressing, [server]).length > 0)
      ? []
      : [
          {
            path: ["nameservers", index],
            message: "no link has a static address to go with it: an address by DHCP brings its name servers along",
          },
        ],
  );
  if (searchDomains.length === 0 || links.some(({ addressing }) => addressing.addresses.length > 0)) return lost;
  return [...lost, { path: ["searchDomains"], message: "no link has a static address to go with them" }];
}
