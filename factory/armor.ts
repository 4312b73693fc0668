/**
 * The bytes inside OpenPGP's ASCII armor, which gpgv(1) wants for its keyrings. The checksum of the armor is left
 * aside: what the bytes are worth is for the signature to say (RFC 9580 section 6.1).
 * @returns undefined for text that is not one armored block of this kind
 */
export function readArmor(text: string, kind: "PUBLIC KEY BLOCK"): Buffer | undefined {
  const block = new RegExp(
    `^-----BEGIN PGP ${kind}-----\n((?:[^\n]+\n)*)[ \t]*\n([A-Za-z0-9+/=\n]+)-----END PGP ${kind}-----$`,
  );
  const match = block.exec(text.replaceAll("\r\n", "\n").trim());
  if (!match) return undefined;
  return Buffer.from((match[2] ?? "").replace(/\n=[A-Za-z0-9+/]{4}\n*$/, ""), "base64");
}
