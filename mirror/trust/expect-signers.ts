import { Failure } from "../../common/failure.ts";
import type { KeyRing } from "./key-ring.ts";
import type { KeyRole } from "./roles.ts";
import type { SigningKey } from "./signing-key.ts";

/** Who may sign for a role, and how many of them have to. */
export interface KeyOwner {
  keyIDs: readonly string[];
  threshold: number;
}

/**
 * All keys of the ring that any of the owners lists: what they sign is good for all of them.
 * @throws Failure `signers-missing` (configuration) where they are too few for one
 */
export function expectSigners(ring: KeyRing, role: KeyRole, owners: readonly KeyOwner[]): SigningKey[] {
  for (const { keyIDs, threshold } of owners) {
    const there = ring.pick(keyIDs).length;
    if (there >= threshold) continue;
    const missing = keyIDs.filter((keyID) => ring.pick([keyID]).length === 0);
    throw new Failure({
      code: "signers-missing",
      kind: "configuration",
      message: `signing as ${role}: ${there} of ${threshold} keys are there: ${missing.map((keyID) => ring.explain(keyID)).join(", ")}`,
      hint: "name the folder with these keys by --keys, and for encrypted ones a --passphrase-file",
      data: { role, threshold, missing },
    });
  }
  return ring.pick([...new Set(owners.flatMap(({ keyIDs }) => keyIDs))]);
}
