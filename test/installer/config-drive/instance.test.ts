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
