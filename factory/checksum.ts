import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { z } from "zod";
import type { Advance } from "../common/event.ts";
import { Failure } from "../common/failure.ts";

export type Algorithm = "sha256" | "sha512";

export interface Checksum {
  algorithm: Algorithm;
  /** Lower-case hexadecimal. */
  digest: string;
}

const digestLength: Record<Algorithm, number> = { sha256: 64, sha512: 128 };

function isDigest(algorithm: Algorithm, text: string): boolean {
  return text.length === digestLength[algorithm] && /^[0-9a-f]+$/.test(text);
}

/** A checksum as it is written in the catalog. */
export const checksumSchema = z
  .string()
  .regex(/^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/, "expected sha256: or sha512: and the digest in hexadecimal");

/** As a checksum is written in a manifest and on the command line: `sha512:cf83...`. */
export function formatChecksum({ algorithm, digest }: Checksum): string {
  return `${algorithm}:${digest}`;
}

/** @throws Failure `checksum-invalid` (configuration) */
export function parseChecksum(text: string): Checksum {
  const [algorithm, digest = ""] = text.toLowerCase().split(":", 2);
  if ((algorithm === "sha256" || algorithm === "sha512") && isDigest(algorithm, digest)) return { algorithm, digest };
  throw new Failure({
    code: "checksum-invalid",
    kind: "configuration",
    message: `"${text}" is not a checksum`,
    hint: "write sha256: or sha512: and the digest in hexadecimal",
  });
}

/**
 * Finds a file in a list such as sha512sum(1) writes, in its plain form (`DIGEST  NAME`, `DIGEST *NAME`)
 * or tagged as BSD's (`SHA512 (NAME) = DIGEST`), or takes the digest of a list that is nothing but one.
 * @param listName of the list, which must say what a digest without a name is of: `disk.qcow2.sha256`
 * @throws Failure `checksum-missing` (integrity) where the list has no, or more than one, digest of the file
 */
export function findChecksum(list: string, algorithm: Algorithm, fileName: string, listName = ""): Checksum {
  const digests = new Set<string>();
  for (const line of list.split("\n")) {
    const plain = /^([0-9A-Fa-f]+) [ *]?(.+?)\r?$/.exec(line);
    const tagged = /^(SHA256|SHA512) \((.+)\) = ([0-9A-Fa-f]+)\r?$/.exec(line);
    const [digest, name] = plain ? [plain[1], plain[2]] : [tagged?.[3], tagged?.[2]];
    if (name === fileName && digest && isDigest(algorithm, digest.toLowerCase())) digests.add(digest.toLowerCase());
  }
  const bare = list.trim().toLowerCase();
  if (listName.startsWith(`${fileName}.`) && isDigest(algorithm, bare)) digests.add(bare);
  const [digest, ...others] = digests;
  if (digest !== undefined && others.length === 0) return { algorithm, digest };
  throw new Failure({
    code: "checksum-missing",
    kind: "integrity",
    message: `looking up ${fileName}: the vendor's list has ${digests.size} ${algorithm} checksums of it, not one`,
    hint: "look at the list's URL in the catalog, or give the file and its checksum yourself",
    data: { fileName, algorithm, found: digests.size },
  });
}

/** The digest of a file, in hexadecimal. */
export async function digestFile(
  path: string,
  algorithm: Algorithm,
  options: { signal?: AbortSignal; advance?: Advance } = {},
) {
  const hash = createHash(algorithm);
  let bytes = 0;
  const { signal, advance } = options;
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20, ...(signal && { signal }) })) {
    hash.update(chunk);
    bytes += chunk.length;
    advance?.(bytes);
  }
  return hash.digest("hex");
}

/** @throws Failure `checksum-mismatch` (integrity) */
export function assertDigest(subject: string, expected: Checksum, found: string): void {
  if (found === expected.digest) return;
  throw new Failure({
    code: "checksum-mismatch",
    kind: "integrity",
    message: `verifying ${subject}: its ${expected.algorithm} is not the one that was promised`,
    hint: "the file was damaged, replaced, or has a newer version: do not use it before you know which",
    data: { expected: formatChecksum(expected), found: `${expected.algorithm}:${found}` },
  });
}
