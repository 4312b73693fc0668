import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure } from "../common/failure.ts";
import { run } from "../common/run.ts";
import { findRefusal } from "./gpgv-status.ts";
import { findSigningKey } from "./signing-key.ts";

export interface SignedList {
  /** For messages: the list's URL. */
  url: string;
  bytes: Uint8Array;
  /** A detached signature, armored or not; `inline` for a clearsigned list. */
  signature: Uint8Array | "inline";
  /** Fingerprint of the primary key that must have made it, itself or by a subkey. */
  key: string;
  keyFolders: readonly string[];
  signal?: AbortSignal | undefined;
}

/**
 * Verifies a signed list with gpgv(1) and the pinned key.
 * @returns the bytes that are signed: of a clearsigned list, not what stands around them
 * @throws Failure `signature-invalid` (integrity), `signing-key-missing`, `signing-key-invalid`, `programs-missing`
 *   (configuration), `interrupted`
 */
export async function verifySignature(list: SignedList): Promise<Uint8Array> {
  const { url, bytes, signature, key, signal } = list;
  const { path, keyring } = await findSigningKey(key, list.keyFolders);
  const inline = signature === "inline";
  if (inline && !isOneClearsignedText(bytes)) throw invalid(url, "it is not one clearsigned text and nothing else");

  const directory = await mkdtemp(join(tmpdir(), "metalcast-gpgv-"));
  const file = (name: string) => join(directory, name);
  try {
    await writeFile(file("keyring.gpg"), keyring);
    await writeFile(file("list"), bytes);
    if (!inline) await writeFile(file("signature"), signature);
    const operands = inline ? ["--output", file("signed"), file("list")] : [file("signature"), file("list")];
    const { stdout, exitCode } = await run(
      "gpgv",
      ["--homedir", directory, "--keyring", file("keyring.gpg"), "--status-fd", "1", ...operands],
      { doing: `verifying the signature of ${url}`, accept: [0, 1, 2], timeoutMs: 60_000, ...(signal && { signal }) },
    );
    const refusal = findRefusal(stdout, exitCode, key);
    if (refusal) throw invalid(url, `${refusal} (key file: ${path})`);
    return inline ? await readFile(file("signed")) : bytes;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * One cleartext signature, from its first line to its last (RFC 9580 section 7.1). Anything else that gpgv can take,
 * such as a compressed message, is none of ours.
 */
function isOneClearsignedText(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes).toString("latin1").trim();
  const headers = text.match(/^-----BEGIN PGP [A-Z ]+-----[ \t\r]*$/gm) ?? [];
  return (
    text.startsWith("-----BEGIN PGP SIGNED MESSAGE-----") &&
    text.endsWith("-----END PGP SIGNATURE-----") &&
    headers.length === 2
  );
}

function invalid(url: string, reason: string): Failure {
  return new Failure({
    code: "signature-invalid",
    kind: "integrity",
    message: `verifying the signature of ${url}: ${reason}`,
    hint: "do not use this image before you know why: the list was replaced, or the vendor signs with a new key",
    data: { url },
  });
}
