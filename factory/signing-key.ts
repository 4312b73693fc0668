import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "../common/failure.ts";
import { readArmor } from "./armor.ts";

/**
 * Looks for a public key in the catalog's folders, as an armored file named after its fingerprint.
 * @returns where it lies, and its bytes without the armor, as gpgv(1) wants a keyring
 * @throws Failure `signing-key-missing`, `signing-key-invalid` (configuration)
 */
export async function findSigningKey(
  fingerprint: string,
  folders: readonly string[],
): Promise<{ path: string; keyring: Buffer }> {
  const name = `${fingerprint}.asc`;
  for (const folder of folders) {
    const path = join(folder, name);
    const text = await readFile(path, "latin1").catch(() => undefined);
    if (text === undefined) continue;
    const keyring = readArmor(text, "PUBLIC KEY BLOCK");
    if (keyring) return { path, keyring };
    throw new Failure({
      code: "signing-key-invalid",
      kind: "configuration",
      message: `reading the key ${path}: it is not one armored public key`,
      hint: `write it with: gpg --armor --export ${fingerprint}`,
    });
  }
  throw new Failure({
    code: "signing-key-missing",
    kind: "configuration",
    message: `verifying a signature: the public key ${fingerprint} is in none of ${folders.join(", ")}`,
    hint: `get it from the vendor and put it, armored, as keys/${name} into a catalog folder of your own (--catalog)`,
    data: { fingerprint, folders },
  });
}
