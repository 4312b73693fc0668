import { Failure } from "../../common/failure.ts";
import type { Store } from "../store.ts";
import { TrustedReader } from "../trust/reader.ts";
import type { Finding } from "./finding.ts";

/**
 * Reads all metadata as a reader does that has pinned this root.
 * @returns why it would be refused; undefined where it is believed
 * @throws Failure `mirror-unsigned` (configuration); what a store throws
 */
export async function judge(store: Store, root: Uint8Array, signal?: AbortSignal): Promise<Failure | undefined> {
  try {
    await new TrustedReader(store, root).list(signal);
    return undefined;
  } catch (error) {
    if (error instanceof Failure && error.kind === "integrity") return error;
    throw error;
  }
}

/**
 * Whether all that the mirror says down to the refused part is believed, and the part is only not what is signed there:
 * the right one is known by its hash.
 */
export function isPartOnly(refusal: Failure): boolean {
  return refusal.code === "metadata-mixed" || refusal.code === "metadata-endless";
}

/** @returns with `metadata` as key, where the refusal names no single part */
export function describeRefusal({ code, message }: Failure): Finding {
  const [key = "metadata"] = /metadata\/[a-z0-9.-]+\.json/.exec(message) ?? [];
  return { key, problem: "refused", code, reason: message };
}
