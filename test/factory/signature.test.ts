import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readArmor } from "../../factory/armor.ts";
import { findRefusal } from "../../factory/gpgv-status.ts";
import { verifySignature } from "../../factory/signature.ts";

const list = Buffer.from(`${"ab".repeat(32)}  disk.qcow2\n- a line that clearsigned text escapes\n`);
let home: string;
let keys: string;

/** Long ago, for keys and signatures that have expired since. A key is made before it signs, however long that takes. */
const longAgo = ["--faked-system-time", "20200101T000000"];
const aDayLater = ["--faked-system-time", "20200102T000000"];

const gpg = async (args: string[], input?: Uint8Array) => {
  const common = [
    "--homedir",
    home,
    "--batch",
    "--quiet",
    "--no-tty",
    "--passphrase",
    "",
    "--pinentry-mode",
    "loopback",
  ];
  const { stdout } = await execa("gpg", [...common, ...args], {
    encoding: "buffer",
    stripFinalNewline: false,
    ...(input && { input }),
  });
  return Buffer.from(stdout);
};

async function makeKey(name: string, expiry = "never", ...options: string[]): Promise<string> {
  await gpg([...options, "--quick-generate-key", `${name}@example.test`, "ed25519", "sign", expiry]);
  return fingerprintOf(name);
}

async function fingerprintOf(name: string): Promise<string> {
  const records = (await gpg(["--with-colons", "--list-keys", `=${name}@example.test`])).toString().split("\n");
  return records.find((record) => record.startsWith("fpr:"))?.split(":")[9] ?? "";
}

const publish = async (...fingerprints: string[]) =>
  writeFile(join(keys, `${fingerprints[0]}.asc`), await gpg(["--armor", "--export", ...fingerprints]));

const sign = (maker: string, ...options: string[]) =>
  gpg([...options, "--local-user", `${maker}!`, "--detach-sign"], list);
const clearsign = (...makers: string[]) =>
  gpg([...makers.flatMap((maker) => ["--local-user", maker]), "--clearsign"], list);

const verify = (signature: Uint8Array | "inline", key: string, bytes: Uint8Array = list) =>
  verifySignature({ url: "https://vendor.test/SUMS", bytes, signature, key, keyFolders: [join(home, "none"), keys] });

let vendor: string;
let stranger: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "gpg-"));
  keys = join(home, "keys");
  await mkdir(keys);
  vendor = await makeKey("vendor");
  stranger = await makeKey("stranger");
  await publish(vendor);
});
afterAll(async () => {
  await execa("gpgconf", ["--homedir", home, "--kill", "all"]);
  await rm(home, { recursive: true });
});

describe("a detached signature", () => {
  it("of the pinned key is good, armored or not", async () => {
    expect(await verify(await sign(vendor), vendor)).toEqual(list);
    expect(await verify(await sign(vendor, "--armor"), vendor)).toEqual(list);
  });

  it("of a subkey is good, where its primary key is pinned", async () => {
    await gpg(["--quick-generate-key", "careful@example.test", "ed25519", "cert", "never"]);
    const careful = await fingerprintOf("careful");
    await gpg(["--quick-add-key", careful, "ed25519", "sign", "never"]);
    await publish(careful);
    const signature = await gpg(["--local-user", careful, "--detach-sign"], list);
    expect(await verify(signature, careful)).toEqual(list);
  });

  it("is good beside a stranger's, and a stranger's is not", async () => {
    const [ours, theirs] = [await sign(vendor), await sign(stranger)];
    expect(await verify(Buffer.concat([theirs, ours]), vendor)).toEqual(list);
    await expect(verify(theirs, vendor)).rejects.toMatchObject({
      code: "signature-invalid",
      kind: "integrity",
      message: expect.stringContaining(`not by the key ${vendor}`),
    });
  });

  it("of another key in the same file is refused", async () => {
    const pinned = await makeKey("pinned");
    await publish(pinned, stranger);
    await expect(verify(await sign(stranger), pinned)).rejects.toThrow(`made by ${stranger}, not by the key ${pinned}`);
  });

  it.each<[string, () => Promise<[Uint8Array, Uint8Array]>, string]>([
    ["over other data", async () => [await sign(vendor), Buffer.from("other")], "not of these bytes"],
    [
      "a good one and a bad one",
      async () => [
        Buffer.concat([await sign(vendor), await gpg(["--local-user", vendor, "--detach-sign"], Buffer.from("other"))]),
        list,
      ],
      "not of these bytes",
    ],
    ["cut short", async () => [(await sign(vendor)).subarray(0, 40), list], "there is no signature"],
    ["empty", async () => [Buffer.alloc(0), list], "there is no signature"],
    ["a page of HTML", async () => [Buffer.from("<html>404</html>"), list], "there is no signature"],
    [
      "a signed message of its own",
      async () => [await gpg(["--local-user", vendor, "--sign"], list), list],
      "no signature",
    ],
    ["with SHA-1", async () => [await sign(vendor, "--digest-algo", "SHA1"), list], "can be forged"],
  ])("is refused: %s", async (_, make, reason) => {
    const [signature, bytes] = await make();
    await expect(verify(signature, vendor, bytes)).rejects.toMatchObject({
      code: "signature-invalid",
      message: expect.stringContaining(reason),
    });
  });

  it("that has expired is refused", async () => {
    const old = await makeKey("old", "never", ...longAgo);
    await publish(old);
    expect(await verify(await sign(old, ...aDayLater), old)).toEqual(list);
    const expired = sign(old, ...aDayLater, "--default-sig-expire", "1y");
    await expect(verify(await expired, old)).rejects.toThrow(/SUMS: it has expired/);
  });

  it("of a key that has expired or was revoked is refused", async () => {
    const expired = await makeKey("expired", "1y", ...longAgo);
    await publish(expired);
    await expect(verify(await sign(expired, ...aDayLater), expired)).rejects.toThrow("the key has expired");

    const revoked = await makeKey("revoked");
    const signature = await sign(revoked);
    const { stdout } = await execa("cat", [join(home, "openpgp-revocs.d", `${revoked}.rev`)]);
    await gpg(["--import"], Buffer.from(stdout.replace(":-----BEGIN", "-----BEGIN")));
    await publish(revoked);
    await expect(verify(signature, revoked)).rejects.toThrow("the key was revoked");
  });
});

describe("a clearsigned list", () => {
  it("gives the signed text alone", async () => {
    const text = await clearsign(vendor);
    expect(text.toString()).toContain("- - a line");
    expect((await verify("inline", vendor, text)).toString()).toBe(list.toString());
    expect((await verify("inline", vendor, await clearsign(stranger, vendor))).toString()).toBe(list.toString());
  });

  it.each<[string, (text: string) => string | Promise<string>]>([
    ["text before it", (text) => `${"cd".repeat(32)}  disk.qcow2\n${text}`],
    ["text after it", (text) => `${text}${"cd".repeat(32)}  disk.qcow2\n`],
    ["a second one after it", (text) => text + text],
    ["text among its headers", (text) => text.replace("\n\n", `\n${"cd".repeat(32)}  disk.qcow2\n\n`)],
    ["changed text", (text) => text.replace("disk", "risk")],
    ["its signature cut off", (text) => text.slice(0, text.indexOf("-----BEGIN PGP SIGNATURE"))],
    ["its signature cut short", (text) => text.replace(/.{20}\n=.{4}\n-----END/, "\n-----END")],
    ["no signature at all", () => list.toString()],
    ["a stranger's signature", async () => (await clearsign(stranger)).toString()],
  ])("is refused with %s", async (_, spoil) => {
    const text = (await clearsign(vendor)).toString();
    const spoilt = await spoil(text);
    expect(spoilt).not.toBe(text);
    await expect(verify("inline", vendor, Buffer.from(spoilt))).rejects.toMatchObject({ code: "signature-invalid" });
  });

  it("is not taken from a compressed message, which may hold any amount", async () => {
    const message = await gpg(["--local-user", vendor, "--sign", "--armor"], list);
    await expect(verify("inline", vendor, message)).rejects.toThrow("not one clearsigned text");
  });
});

describe("a key", () => {
  it("that is in no folder is asked for", async () => {
    await expect(verify(await sign(stranger), stranger)).rejects.toMatchObject({
      code: "signing-key-missing",
      kind: "configuration",
      hint: expect.stringContaining(`keys/${stranger}.asc`),
    });
  });

  it("that is no armored key is refused", async () => {
    const fingerprint = "0".repeat(40);
    await writeFile(join(keys, `${fingerprint}.asc`), await gpg(["--export", vendor]));
    await expect(verify(await sign(vendor), fingerprint)).rejects.toMatchObject({ code: "signing-key-invalid" });
  });

  it("comes out of its armor as it went in", async () => {
    const bytes = await gpg(["--export", vendor]);
    const armored = (await gpg(["--armor", "--comment", "by us", "--export", vendor])).toString();
    expect(readArmor(armored, "PUBLIC KEY BLOCK")).toEqual(bytes);
    expect(readArmor(armored.replaceAll("\n", "\r\n"), "PUBLIC KEY BLOCK")).toEqual(bytes);
    expect(readArmor(armored + armored, "PUBLIC KEY BLOCK")).toBeUndefined();
  });
});

describe("what gpgv says", () => {
  it("is not good without the word itself", () => {
    const pinned = "A".repeat(40);
    const valid = `[GNUPG:] VALIDSIG ${pinned} 2026-11-24 1795562876 0 4 0 22 8 00 ${pinned}\n`;
    expect(findRefusal(`[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG 1 x\n${valid}`, 0, pinned)).toBeUndefined();
    expect(findRefusal(`[GNUPG:] NEWSIG\n${valid}`, 0, pinned)).toBeTypeOf("string");
    expect(findRefusal(`[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG 1 x\n[GNUPG:] NEWSIG\n${valid}`, 0, pinned)).toBeTypeOf(
      "string",
    );
    expect(findRefusal(`[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG 1 x\n${valid}[GNUPG:] ERROR proc_pkt 89\n`, 2, pinned)).toBe(
      "gpgv found it wrong (ERROR)",
    );
  });

  it("is never good without a valid signature of the pinned key", () => {
    const pinned = "A".repeat(40);
    const keywords = fc.constantFrom(
      "NEWSIG",
      "GOODSIG",
      "VALIDSIG",
      "BADSIG",
      "EXPKEYSIG",
      "ERRSIG",
      "NO_PUBKEY",
      "PLAINTEXT",
    );
    const words = fc.array(fc.oneof(fc.constantFrom("B".repeat(40), "8", "00"), fc.string()), { maxLength: 10 });
    const line = fc.oneof(
      fc.tuple(keywords, words).map(([keyword, rest]) => ["[GNUPG:]", keyword, ...rest].join(" ")),
      fc.constant(`gpgv: VALIDSIG ${pinned} 2026 1 0 4 0 22 8 00 ${pinned}`),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(line), fc.constantFrom(0, 1, 2), (lines, exitCode) => {
        expect(findRefusal(lines.join("\n"), exitCode, pinned)).toBeTypeOf("string");
      }),
    );
  });
});
