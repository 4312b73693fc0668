import { isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contains, formatNetmask, parseAddress, parseSubnet } from "../../../installer/config-drive/address.ts";

describe("an address is the number that its bits are", () => {
  test.each([
    ["0.0.0.1", 1n],
    ["192.0.2.255", 0xc00002ffn],
    ["::", 0n],
    ["::1", 1n],
    ["1::", 1n << 112n],
    ["1:2:3:4:5:6:7:8", 0x00010002000300040005000600070008n],
    ["::ffff:192.0.2.1", 0xffffc0000201n],
    ["1:2:3:4:5:6:192.0.2.1", 0x000100020003000400050006c0000201n],
  ])("%s", (text, value) => expect(parseAddress(text)).toEqual({ isV6: isIPv6(text), value }));

  test("however it is written", () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const canonical = new URL(`http://[${text}]/`).hostname.slice(1, -1);
        expect(parseAddress(text)).toEqual(parseAddress(canonical));
      }),
    );
  });

  test("a network holds its first and last address, and nothing around them", () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.integer({ min: 0, max: 32 }), (address, prefixLength) => {
        const subnet = parseSubnet(`${address}/${prefixLength}`);
        if (!subnet) throw new Error("not parsed");
        const at = (value: bigint) => contains(subnet, { isV6: false, value });
        expect([subnet.value, subnet.first, subnet.last].map(at)).toEqual([true, true, true]);
        expect([subnet.first - 1n, subnet.last + 1n].map(at)).toEqual([false, false]);
        expect(subnet.last - subnet.first + 1n).toBe(1n << BigInt(32 - prefixLength));
        const ones = (1n << 32n) - (subnet.last - subnet.first + 1n);
        expect(parseAddress(formatNetmask(subnet))?.value).toBe(ones);
      }),
    );
  });

  test.each([
    "",
    "192.0.2.1",
    "192.0.2.1/",
    "192.0.2.1/24/24",
    "192.0.2.1/-1",
    "192.0.2.1/1e1",
    "2001:db8::/129",
    "x/1",
  ])("%j is no network", (text) => expect(parseSubnet(text)).toBeUndefined());
});
