import { isIPv4, isIPv6 } from "node:net";

/** An IP address as the number that its bits are. */
export interface Address {
  isV6: boolean;
  value: bigint;
}

/** An address with the network it lies in. */
export interface Subnet extends Address {
  prefixLength: number;
  /** The first and the last address of the network. */
  first: bigint;
  last: bigint;
}

const bitsOf = ({ isV6 }: Pick<Address, "isV6">) => (isV6 ? 128 : 32);

const joinNumbers = (numbers: readonly number[], bits: bigint) =>
  numbers.reduce((value, number) => (value << bits) | BigInt(number), 0n);

const parseV4 = (text: string) => joinNumbers(text.split(".").map(Number), 8n);

/** RFC 4291 section 2.2: eight groups, `::` for as many zeros as are missing, the last two perhaps as an IPv4 address. */
function parseV6(text: string): bigint {
  const plain = text.replace(/[^:]*\.[^:]*$/, (v4) => {
    const value = parseV4(v4);
    return `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
  });
  const [head = [], tail = []] = plain.split("::").map((half) => half.split(":").filter((group) => group !== ""));
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => "0");
  const groups = [...head, ...zeros, ...tail].map((group) => Number.parseInt(group, 16));
  return joinNumbers(groups, 16n);
}

/** @returns undefined for anything else than one address; a zone such as `%eth0` is none of the address */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { isV6: false, value: parseV4(text) };
  if (isIPv6(text) && !text.includes("%")) return { isV6: true, value: parseV6(text) };
  return undefined;
}

/** Reads `192.0.2.10/24` or `2001:db8::10/64`. @returns undefined for anything else */
export function parseSubnet(text: string): Subnet | undefined {
  const [addressText = "", prefix = "", ...rest] = text.split("/");
  const address = parseAddress(addressText);
  if (!address || rest.length > 0 || !/^\d{1,3}$/.test(prefix)) return undefined;
  const prefixLength = Number(prefix);
  const hostBits = bitsOf(address) - prefixLength;
  if (hostBits < 0) return undefined;
  const first = (address.value >> BigInt(hostBits)) << BigInt(hostBits);
  return { ...address, prefixLength, first, last: first + (1n << BigInt(hostBits)) - 1n };
}

export function contains(subnet: Subnet, { isV6, value }: Address): boolean {
  return subnet.isV6 === isV6 && value >= subnet.first && value <= subnet.last;
}

/** A prefix length as network_data.json has it: 255.255.255.0, or ffff:ffff:ffff:ffff:0:0:0:0. */
export function formatNetmask({ isV6, prefixLength }: Pick<Subnet, "isV6" | "prefixLength">): string {
  const [groups, bits] = isV6 ? [8, 16] : [4, 8];
  const values = Array.from({ length: groups }, (_, index) => {
    const ones = Math.min(Math.max(prefixLength - index * bits, 0), bits);
    return 2 ** bits - 2 ** (bits - ones);
  });
  return values.map((value) => value.toString(isV6 ? 16 : 10)).join(isV6 ? ":" : ".");
}
