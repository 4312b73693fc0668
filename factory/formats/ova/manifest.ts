import { createHash } from "node:crypto";
import { type ByteSource, readChunks } from "../source.ts";
import { invalid } from "./invalid.ts";

export interface ManifestDigest {
  algorithm: "sha1" | "sha256" | "sha512";
  /** Lower-case hexadecimal. */
  digest: string;
}

const digestLength: Readonly<Record<string, number>> = { sha1: 40, sha256: 64, sha512: 128 };

/**
 * Reads a manifest: `SHA256(NAME)= DIGEST`, a file a line (DMTF, DSP0243, "OVF Package Structure").
 * @param name of the OVA, for errors
 * @throws Failure `ova-manifest-invalid` (integrity)
 */
export function parseManifest(name: string, text: string): Map<string, ManifestDigest> {
  const digests = new Map<string, ManifestDigest>();
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === "") continue;
    const [, word = "", file = "", hex = ""] =
      /^(SHA1|SHA256|SHA512) ?\((.+)\) ?= ?([0-9A-Fa-f]+) *$/i.exec(line) ?? [];
    const algorithm = word.toLowerCase();
    const isKnown = algorithm === "sha1" || algorithm === "sha256" || algorithm === "sha512";
    if (!isKnown || hex.length !== digestLength[algorithm] || digests.has(file)) {
      throw invalid(name, "manifest-invalid", `its manifest says ${JSON.stringify(line.slice(0, 120))}`);
    }
    digests.set(file, { algorithm, digest: hex.toLowerCase() });
  }
  return digests;
}

/**
 * Reads all of a member and holds it against its digest.
 * @throws Failure `ova-digest-mismatch` (integrity)
 */
export async function assertMember(
  name: string,
  member: ByteSource,
  { algorithm, digest }: ManifestDigest,
  signal?: AbortSignal,
): Promise<void> {
  const hash = createHash(algorithm);
  for await (const chunk of readChunks(member, signal)) hash.update(chunk);
  const found = hash.digest("hex");
  if (found === digest) return;
  throw invalid(name, "digest-mismatch", `the ${algorithm} of ${member.name} is ${found}, its manifest says ${digest}`);
}
