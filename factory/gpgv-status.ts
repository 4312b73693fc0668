/** Hash algorithms of RFC 9580 section 9.5 that a signature may use: SHA-256, SHA-384, SHA-512, SHA-224, SHA-3. */
const soundHashes = ["8", "9", "10", "11", "12", "14"];

/** What gpgv also says of a good signature that others stand beside. */
const harmless = [
  ...["NEWSIG", "KEY_CONSIDERED", "SIG_ID", "GOODSIG", "VALIDSIG", "PLAINTEXT", "PLAINTEXT_LENGTH"],
  ...["NOTATION_NAME", "NOTATION_FLAGS", "NOTATION_DATA", "POLICY_URL", "ERRSIG", "NO_PUBKEY"],
];

const refusals: ReadonlyMap<string, string> = new Map([
  ["BADSIG", "it is not of these bytes"],
  ["REVKEYSIG", "the key was revoked"],
  ["EXPKEYSIG", "the key has expired; a prolonged one can be put into keys/ of a catalog folder of your own"],
  ["EXPSIG", "it has expired"],
]);

/**
 * Reads what gpgv(1) writes with --status-fd (GnuPG's doc/DETAILS, "Format of the --status-fd output").
 * A valid signature of the pinned key is enough: others, of keys that nobody asked for, say nothing.
 * @param pinned fingerprint of the primary key
 * @returns why the signature is refused; undefined for a good one
 */
export function findRefusal(status: string, exitCode: number, pinned: string): string | undefined {
  const lines = status.split("\n").filter((line) => line.startsWith("[GNUPG:] "));
  const words = lines.map((line) => line.slice("[GNUPG:] ".length).split(" "));
  for (const [keyword = ""] of words) {
    const refusal = refusals.get(keyword);
    if (refusal) return refusal;
  }
  const good = splitBySignature(words).find(
    ([keywords, valid]) => keywords.includes("GOODSIG") && valid.at(-1) === pinned,
  );
  if (!good) {
    const maker = words.find(([keyword]) => keyword === "NO_PUBKEY" || keyword === "VALIDSIG")?.[1];
    return maker === undefined ? "there is no signature in it" : `it was made by ${maker}, not by the key ${pinned}`;
  }
  const [, valid] = good;
  // VALIDSIG fpr date time expires version reserved key-algorithm hash-algorithm class primary-fpr
  if (!soundHashes.includes(valid[8] ?? "")) return "it uses a hash algorithm that can be forged";
  const others = words.map(([keyword = ""]) => keyword).filter((keyword) => !harmless.includes(keyword));
  return exitCode === 0 || others.length === 0 ? undefined : `gpgv found it wrong (${others.join(", ")})`;
}

/** @returns for each signature, what was said of it and the words of its VALIDSIG */
function splitBySignature(words: readonly string[][]): [keywords: string[], valid: string[]][] {
  const signatures: [string[], string[]][] = [];
  for (const line of words) {
    const [keyword = ""] = line;
    if (keyword === "NEWSIG") signatures.push([[], []]);
    const current = signatures.at(-1);
    current?.[0].push(keyword);
    if (keyword === "VALIDSIG" && current) current[1] = line;
  }
  return signatures;
}
