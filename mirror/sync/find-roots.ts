import { z } from "zod";
import { Failure } from "../../common/failure.ts";
import { readWhole } from "../read-whole.ts";
import { type RetryOptions, withRetries } from "../retry.ts";
import type { Store } from "../store.ts";
import { metadataKey, metadataLimitBytes } from "../trust/roles.ts";
import type { Sides } from "./list-sides.ts";
import type { HeldFile } from "./read-statement.ts";

const rootSchema = z.looseObject({ signed: z.looseObject({ _type: z.literal("root"), version: z.number() }) });

/**
 * The root metadata that the target lacks, in the order of their numbers: a reader goes from the one that it has to the
 * newest. Nothing else names them; where the source can't be listed they are asked for by number.
 * @throws Failure `root-differs` (refused) where the target has another root of that number; `metadata-invalid`
 *   (integrity); what a store throws
 */
export async function findMissingRoots(
  from: Store,
  { source, target }: Sides,
  options: RetryOptions & { signal?: AbortSignal } = {},
): Promise<HeldFile[]> {
  const missing: HeldFile[] = [];
  for (let version = 1; ; version += 1) {
    const key = metadataKey("root", version);
    const there = target.get(key);
    const listed = source?.get(key);
    if (there && listed && there.sizeBytes !== listed.sizeBytes) throw rootDiffers(from, key);
    if (there) continue;
    const found = source ? listed : await withRetries(() => from.stat(key, options.signal), options);
    if (!found) return missing;
    missing.push({ key, bytes: await readRoot(from, key, version, options) });
  }
}

async function readRoot(
  from: Store,
  key: string,
  version: number,
  options: RetryOptions & { signal?: AbortSignal },
): Promise<Uint8Array> {
  const bytes = await readWhole(from, key, { limitBytes: metadataLimitBytes, ...options });
  try {
    const { signed } = rootSchema.parse(JSON.parse(bytes.toString("utf8")));
    if (signed.version === version) return bytes;
  } catch (error) {
    throw rootInvalid(from, key, error);
  }
  throw rootInvalid(from, key);
}

function rootInvalid(from: Store, key: string, cause?: unknown): Failure {
  return new Failure({
    code: "metadata-invalid",
    kind: "integrity",
    message: `reading ${from.url}/${key}: it is not the root metadata of this number`,
    hint: "the mirror is damaged, or a cache in front of it is: look at it with `metalcast verify`",
    cause,
  });
}

function rootDiffers(from: Store, key: string): Failure {
  return new Failure({
    code: "root-differs",
    kind: "refused",
    message: `syncing ${from.url}: the target has another ${key}`,
    hint: "the target is a mirror with keys of its own: sync into an empty place",
  });
}
