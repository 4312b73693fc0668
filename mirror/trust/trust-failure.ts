import type { Metadata, Root, Targets } from "@tufjs/models";
import { Failure } from "../../common/failure.ts";

type Signed = Parameters<Metadata<Root>["verifyDelegate"]>[1];

const damaged = "the mirror is damaged or tampered with: compare it with another one, and install nothing from it";

/**
 * @param parent names the role's keys: a root, or targets that delegate to it
 * @throws Failure of integrity: `key-unknown`, `signature-invalid`, `signatures-too-few`
 */
export function expectSignedBy(
  parent: Metadata<Root> | Metadata<Targets>,
  role: string,
  metadata: Signed,
  where: string,
): void {
  try {
    parent.verifyDelegate(role, metadata);
  } catch (error) {
    throw describeSignatures(parent, role, metadata, where, error);
  }
}

/** Names what is wrong with signatures that do not verify. */
export function describeSignatures(
  parent: Metadata<Root> | Metadata<Targets>,
  role: string,
  metadata: Signed,
  where: string,
  cause: unknown,
): Failure {
  const refuse = (code: string, reason: string, hint = damaged) =>
    new Failure({ code, kind: "integrity", message: `reading ${where}: ${reason}`, hint, cause });
  const owner = findOwner(parent, role);
  if (!owner) return refuse("key-unknown", `nobody is named who may sign for ${role}`);
  const signed = owner.keyIDs.filter((keyID) => metadata.signatures[keyID]);
  if (signed.length === 0) {
    const hint = "if the mirror's keys were made anew, bring the new root.json here; otherwise install nothing from it";
    return refuse("key-unknown", `it is signed by none of the keys that may sign for ${role}`, hint);
  }
  const [, valid = "0"] = /was signed by (\d+)\//.exec(String(cause)) ?? [];
  if (valid === "0") return refuse("signature-invalid", "its signature does not match its content");
  return refuse("signatures-too-few", `${valid} of the ${owner.threshold} signatures that ${role} needs are good`);
}

function findOwner({ signed }: Metadata<Root> | Metadata<Targets>, role: string) {
  return "roles" in signed ? signed.roles[role] : signed.delegations?.roles?.[role];
}

/**
 * What a client of The Update Framework found, by its own name. tuf-js tells most of it in the text of its errors only.
 * @returns undefined for anything else
 */
export function describeClientError(error: unknown, where: string): Failure | undefined {
  const text = String(error);
  const known = clientErrors.find(([pattern]) => pattern.test(text));
  if (!known) return undefined;
  const [, code, reason, hint = damaged] = known;
  return new Failure({ code, kind: "integrity", message: `reading ${where}: ${reason}`, hint, cause: error });
}

const clientErrors: readonly (readonly [RegExp, string, string, string?])[] = [
  [/(timestamp|snapshot|root)\.json is expired/, "metadata-expired", "what it signs has expired", freezeHint("mirror")],
  [/\.json is expired/, "metadata-expired", "what is signed of the image has expired", freezeHint("image")],
  [/less than current version/, "mirror-rolled-back", "it is older than what was there before"],
  [/Missing file .* in new snapshot/, "mirror-rolled-back", "it lacks what was there before"],
  [/Expected version/, "root-version-wrong", "the version in a root's name is not that of its content"],
  [
    /does not match snapshot version|Snapshot version doesn't match/,
    "metadata-mixed",
    "its parts are of different states",
  ],
  [/Missing .*\.json in snapshot/, "metadata-mixed", "its snapshot lacks a part"],
  [/Expected (hash|length)/, "metadata-mixed", "a part is not what the signed metadata refers to"],
  [/Max length reached/, "metadata-endless", "a part is longer than it may be"],
  [
    /JSON|TypeError|ValueError|must be|is not defined|expected '/,
    "metadata-invalid",
    "a part is not what it should be",
  ],
];

function freezeHint(what: "mirror" | "image"): string {
  const renew = "have it renewed: `metalcast mirror refresh`, which the nightly runs";
  return what === "mirror" ? `check this machine's clock; if it is right, ${renew}` : renew;
}
