import { z } from "zod";
import { Failure } from "../../common/failure.ts";
import { sha256Schema } from "../manifest.ts";
import { readWhole } from "../read-whole.ts";
import { type RetryOptions, withRetries } from "../retry.ts";
import type { Store } from "../store.ts";
import { pointerKey } from "../trust/roles.ts";

/** A timestamp has a few hundred bytes and its signatures. */
const limitBytes = 64 * 2 ** 10;

const pointerSchema = z.looseObject({
  signed: z.looseObject({
    _type: z.literal("timestamp"),
    version: z.number().int().positive(),
    expires: z.iso.datetime(),
    meta: z.looseObject({
      "snapshot.json": z.looseObject({
        version: z.number().int().positive(),
        length: z.number().int().nonnegative(),
        hashes: z.looseObject({ sha256: sha256Schema }),
      }),
    }),
  }),
});

/** What readers start from, as far as a sync looks at it. */
export interface Pointer {
  bytes: Uint8Array;
  etag: string;
  version: number;
  expires: Date;
  snapshot: { version: number; length: number; hashes: { sha256: string } };
}

/**
 * @returns undefined where there is none
 * @throws Failure `metadata-invalid` (integrity), what a store throws
 */
export async function readPointer(
  store: Store,
  options: RetryOptions & { signal?: AbortSignal } = {},
): Promise<Pointer | undefined> {
  const found = await withRetries(() => store.stat(pointerKey, options.signal), options);
  if (!found) return undefined;
  const bytes = await readWhole(store, pointerKey, { limitBytes, ...options });
  // Between the two requests it may have been replaced: the tag is for a write on condition, which fails then.
  return { bytes, etag: found.etag, ...parsePointer(bytes, `${store.url}/${pointerKey}`) };
}

function parsePointer(bytes: Uint8Array, where: string): Pick<Pointer, "version" | "expires" | "snapshot"> {
  try {
    const { signed } = pointerSchema.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
    return { version: signed.version, expires: new Date(signed.expires), snapshot: signed.meta["snapshot.json"] };
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error).replaceAll("\n", " ") : "it is not JSON";
    throw new Failure({
      code: "metadata-invalid",
      kind: "integrity",
      message: `reading ${where}: ${reason}`,
      hint: "this is no timestamp of The Update Framework: check the store's URL, and what serves it",
      cause: error,
    });
  }
}
