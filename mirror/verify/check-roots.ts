import { createHash } from "node:crypto";
import type { Metadata, Root } from "@tufjs/models";
import { Failure } from "../../common/failure.ts";
import { readWhole } from "../read-whole.ts";
import type { Store } from "../store.ts";
import { parseMetadata } from "../trust/metadata.ts";
import { metadataKey, metadataLimitBytes } from "../trust/roles.ts";
import { expectSignedBy } from "../trust/trust-failure.ts";
import { type Finding, findingOf } from "./finding.ts";
import type { Listing } from "./list-mirror.ts";
import type { Verification } from "./verification.ts";

const rootFile = /^metadata\/(\d+)\.root\.json$/;

/**
 * Checks that readers with an older root than the pinned one come to it, since each vouches for the next, and that no
 * root is missing before the newest. From the pinned one on, the judge has followed them.
 * @param store holds what it has read
 */
export async function checkRoots(
  run: Verification,
  store: Store,
  pinned: { bytes: Uint8Array; root: Metadata<Root> },
  listing: Listing | undefined,
): Promise<void> {
  const numbers = [...(listing?.keys() ?? [])].flatMap((key) => Number(rootFile.exec(key)?.[1] ?? []) || []);
  const { version } = pinned.root.signed;
  let next: Metadata<Root> | undefined;
  for (let number = version; number >= 1; number -= 1) {
    const key = metadataKey("root", number);
    const bytes = await read(run, store, key);
    const finding = bytes && (number === version ? holdAgainst(pinned.bytes, bytes, key) : undefined);
    const root = bytes && !finding ? check(key, bytes, number, next) : undefined;
    if (finding) run.damages.push({ finding });
    else if (root && "problem" in root) run.damages.push({ finding: root });
    next = number === version ? pinned.root : root && !("problem" in root) ? root : undefined;
  }
  for (let number = version + 1; number < Math.max(...numbers, 0); number += 1) {
    const key = metadataKey("root", number);
    if (!listing?.has(key)) run.damages.push({ finding: { key, problem: "missing" } });
  }
}

async function read({ damages, checked, retry }: Verification, store: Store, key: string): Promise<Buffer | undefined> {
  checked.objects += 1;
  try {
    const bytes = await readWhole(store, key, { limitBytes: metadataLimitBytes, ...retry });
    checked.bytes += bytes.byteLength;
    return bytes;
  } catch (error) {
    damages.push({ finding: findingOf(error, key) });
    return undefined;
  }
}

function holdAgainst(pinned: Uint8Array, bytes: Buffer, key: string): Finding | undefined {
  const [expected = "", found = ""] = [pinned, bytes].map((one) => createHash("sha256").update(one).digest("hex"));
  return expected === found ? undefined : { key, problem: "hash", expected, found };
}

/** @param next what this root has to vouch for; undefined where that one can't be read */
function check(key: string, bytes: Buffer, number: number, next: Metadata<Root> | undefined): Metadata<Root> | Finding {
  const invalid = (code: string, reason: string): Finding => ({ key, problem: "invalid", code, reason });
  try {
    const root = parseMetadata("root", bytes, key);
    if (root.signed.version !== number) return invalid("root-version-wrong", `its version is ${root.signed.version}`);
    expectSignedBy(root, "root", root, key);
    if (next) expectSignedBy(root, "root", next, metadataKey("root", number + 1));
    return root;
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== "integrity") throw error;
    return invalid(error.code, error.message);
  }
}
