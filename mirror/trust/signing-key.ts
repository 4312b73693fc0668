import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { Key, Signature } from "@tufjs/models";

/** An ed25519 key as The Update Framework describes it (specification, 4.2), and what signs with it. */
export interface SigningKey {
  readonly key: Key;
  sign(bytes: Buffer): Signature;
}

export function generatePrivateKey(): KeyObject {
  return generateKeyPairSync("ed25519").privateKey;
}

export function toSigningKey(privateKey: KeyObject): SigningKey {
  const key = describePublicKey(createPublicKey(privateKey));
  return {
    key,
    sign: (bytes) => new Signature({ keyID: key.keyID, sig: sign(null, bytes, privateKey).toString("hex") }),
  };
}

/** PKCS#8 in PEM, encrypted where there is a passphrase. */
export function encodePrivateKey(privateKey: KeyObject, passphrase?: string): string {
  const encryption = passphrase === undefined ? {} : { cipher: "aes-256-cbc", passphrase };
  return privateKey.export({ type: "pkcs8", format: "pem", ...encryption }).toString();
}

/** @throws Error where it is no ed25519 key, or the passphrase is missing or wrong */
export function decodePrivateKey(pem: string, passphrase?: string): KeyObject {
  const privateKey = createPrivateKey({ key: pem, ...(passphrase !== undefined && { passphrase }) });
  if (privateKey.asymmetricKeyType !== "ed25519") throw new Error(`it is of type ${privateKey.asymmetricKeyType}`);
  return privateKey;
}

function describePublicKey(publicKey: KeyObject): Key {
  // The last 32 bytes of the encoding are the key itself (RFC 8410, 4).
  const hex = publicKey.export({ type: "spki", format: "der" }).subarray(-32).toString("hex");
  const fields = { keytype: "ed25519", keyval: { public: hex }, scheme: "ed25519" };
  // In canonical JSON these fields look as JSON.stringify writes them.
  const keyID = createHash("sha256").update(JSON.stringify(fields)).digest("hex");
  return new Key({ keyID, keyType: "ed25519", scheme: "ed25519", keyVal: { public: hex } });
}
