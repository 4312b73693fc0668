import { Failure } from "../common/failure.ts";
import type { InstanceNetwork } from "./config-drive/network.ts";
import type { NetworkInterface } from "./network-interfaces.ts";

/**
 * Every interface that the job's network names is one of the server's: cloud-init configures nothing where one is missing,
 * and nobody could log in to find out why.
 * @returns warnings for people
 * @throws Failure `network-interface-missing` (configuration)
 */
export function checkInterfaces(
  network: InstanceNetwork | undefined,
  interfaces: readonly NetworkInterface[],
): string[] {
  const wanted = Object.entries(network?.ethernets ?? {}).map(([name, { mac }]) => ({
    words: `${name} (${mac})`,
    mac,
    found: interfaces.find((one) => one.mac === mac),
  }));
  const missing = wanted.filter(({ found }) => !found);
  if (missing.length > 0) {
    const words = missing.map((one) => one.words).join(", ");
    const present = interfaces.map(describeInterface).join(", ") || "none";
    throw new Failure({
      code: "network-interface-missing",
      kind: "configuration",
      message: `planning the network: the server has no interface for ${words}; it has ${present}`,
      hint: "correct instance.network.ethernets, or load the driver of a network card that does not show",
      data: { missing: missing.map(({ mac }) => mac), present: interfaces },
    });
  }
  return wanted
    .filter(({ found }) => found?.hasCarrier === false)
    .map(({ words, found }) => `${words} of the job's network is ${found?.name}, which has no link: is its cable in?`);
}

function describeInterface({ name, mac, driver }: NetworkInterface): string {
  return `${name} (${[mac, driver].filter((word) => word !== "").join(", ")})`;
}
