import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { instanceSchema } from "../../../installer/config-drive/instance.ts";
import { publicKey } from "./public-key.ts";

const accepts = (instance: unknown) => instanceSchema.safeParse(instance).success;
const label = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/);
const anyBytes = fc.uint8Array({ minLength: 1, maxLength: 300 });

describe("hostname", () => {
  test("any RFC 1123 name is taken", () => {
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 3 }), (labels) => accepts({ hostname: labels.join(".") })),
    );
  });

  test("a name with any other character in it is refused", () => {
    const other = fc
      .string({ unit: "binary", minLength: 1, maxLength: 1 })
      .filter((text) => !/^[a-z0-9.-]$/i.test(text));
    fc.assert(
      fc.property(label, other, label, (before, wrong, after) => !accepts({ hostname: before + wrong + after })),
    );
  });

  test.each(["", "-a", "a-", "a..b", ".a", "a.", "a".repeat(64), `${"a.".repeat(126)}ab`, "a\n"])(
    "%j is refused",
    (hostname) => {
      expect(accepts({ hostname })).toBe(false);
    },
  );
});

describe("sshKeys", () => {
  const take = (key: string) => accepts({ hostname: "web-1", sshKeys: [key] });

  test("any key whose bytes begin with its type is taken, with and without comment", () => {
    fc.assert(
      fc.property(fc.constantFrom("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256"), anyBytes, (type, bytes) => {
        const key = publicKey(type, bytes);
        return take(key) && take(`${key} me@example.net, at home`);
      }),
    );
  });

  test("a second line never gets through", () => {
    fc.assert(
      fc.property(anyBytes, fc.constantFrom("\n", "\r", "\0"), (bytes, lineEnd) => {
        return !take(`${publicKey("ssh-ed25519", bytes)} me${lineEnd}ssh-ed25519 AAAA`);
      }),
    );
  });

  test.each([
    "",
    "ssh-ed25519",
    "ssh-ed25519 AAAA",
    "ssh-ed25519 not/base64!",
    "ssh-dss AAAAB3NzaC1kc3MAAAA=",
    publicKey("ssh-rsa", [1]).replace("ssh-rsa ", "ssh-ed25519 "),
    `command="id" ${publicKey("ssh-ed25519", [1])}`,
  ])("%j is refused", (key) => expect(take(key)).toBe(false));
});

test("all wrong fields are named at once", () => {
  const { error } = instanceSchema.safeParse({ hostname: "a_b", uuid: "x", sshKeys: ["y"], color: "red" });
  expect(error?.issues.map(({ path }) => path.join("."))).toEqual(["hostname", "uuid", "sshKeys.0", ""]);
});

describe("network", () => {
  const problems = (network: unknown) =>
    instanceSchema.safeParse({ hostname: "a", network }).error?.issues.map(({ path }) => path.slice(1).join("."));
  const mac = "52:54:00:12:34:56";

  test.each([
    ["a MAC address given twice", { ethernets: { a: { mac }, b: { mac: mac.toUpperCase() } } }, ["ethernets.b.mac"]],
    [
      "a bond of unknown links",
      { ethernets: {}, bonds: { b: { links: ["constructor"], mode: "802.3ad" } } },
      ["bonds.b.links"],
    ],
    [
      "a link in two bonds",
      {
        ethernets: { a: { mac } },
        bonds: { b: { links: ["a"], mode: "802.3ad" }, c: { links: ["a"], mode: "802.3ad" } },
      },
      ["bonds.c.links"],
    ],
    ["a VLAN on an unknown link", { ethernets: {}, vlans: { v: { link: "a", id: 5 } } }, ["vlans.v.link"]],
    ["a name for two links", { ethernets: { a: { mac } }, vlans: { a: { link: "a", id: 5 } } }, [""]],
    [
      "a route without an address",
      { ethernets: { a: { mac, addresses: ["192.0.2.1/24"], routes: [{ to: "default", via: "2001:db8::1" }] } } },
      ["ethernets.a.routes.0.via"],
    ],
    [
      "a gateway of another family",
      { ethernets: { a: { mac, addresses: ["2001:db8::2/64"], routes: [{ to: "10.0.0.0/8", via: "2001:db8::1" }] } } },
      ["ethernets.a.routes.0.via"],
    ],
    [
      "a wrong prefix and a wrong name server",
      { ethernets: { a: { mac, addresses: ["192.0.2.1/33"] } }, nameservers: ["x"] },
      ["ethernets.a.addresses.0", "nameservers.0"],
    ],
  ])("%s is refused", (_, network, paths) => expect(problems(network)).toEqual(paths));
});
