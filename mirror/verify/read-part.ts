import { createHash } from "node:crypto";
import { readWhole } from "../read-whole.ts";
import type { Store } from "../store.ts";
import { type Finding, findingOf } from "./finding.ts";
import type { Mender } from "./mender.ts";
import type { Verification } from "./verification.ts";

/** A small object that says what others should be. */
export interface Part {
  key: string;
  sha256: string;
  /** Where it is known. */
  sizeBytes?: number;
  limitBytes: number;
}

/**
 * Reads a part and holds it to its hash. What is wrong with it becomes a finding, or is mended.
 * @param store to read from: the run's own, or one that holds what it has read
 * @returns undefined where there are no bytes that could be believed
 */
export async function readPart(
  { damages, checked, retry }: Verification,
  store: Store,
  part: Part,
  mender: Mender | undefined,
): Promise<Buffer | undefined> {
  checked.objects += 1;
  const read = await attempt(store, part, retry);
  if (Buffer.isBuffer(read)) {
    checked.bytes += read.byteLength;
    return read;
  }
  const mended = await mender?.mendPart(part, read);
  if (!mended || mender?.dryRun) damages.push({ finding: read });
  return mended;
}

async function attempt(
  store: Store,
  { key, sha256, sizeBytes, limitBytes }: Part,
  retry: Verification["retry"],
): Promise<Buffer | Finding> {
  try {
    const bytes = await readWhole(store, key, { limitBytes: sizeBytes ?? limitBytes, ...retry });
    if (sizeBytes !== undefined && bytes.byteLength !== sizeBytes) {
      return { key, problem: "size", expected: sizeBytes, found: bytes.byteLength };
    }
    const found = createHash("sha256").update(bytes).digest("hex");
    return found === sha256 ? bytes : { key, problem: "hash", expected: sha256, found };
  } catch (error) {
    return findingOf(error, key);
  }
}
