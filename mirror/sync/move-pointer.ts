import { Failure } from "../../common/failure.ts";
import { type RetryOptions, withRetries } from "../retry.ts";
import type { Store } from "../store.ts";
import { pointerKey } from "../trust/roles.ts";
import { type Pointer, readPointer } from "./pointer.ts";

/**
 * A target's readers have seen its pointer, and would refuse an older one.
 * @param former the target's pointer; undefined where it has none
 * @throws Failure `mirror-older`, `mirror-differs` (refused)
 */
export function expectSuccessor(to: Store, next: Pointer, former: Pointer | undefined): void {
  if (!former || former.version < next.version) return;
  if (former.version > next.version) {
    throw new Failure({
      code: "mirror-older",
      kind: "refused",
      message: `syncing to ${to.url}: it has statement ${former.version}, the source only ${next.version}`,
      hint: "the source lags behind or was set back: sync from a newer one",
      data: { expected: former.version, found: next.version },
    });
  }
  if (Buffer.compare(former.bytes, next.bytes) === 0) return;
  throw new Failure({
    code: "mirror-differs",
    kind: "refused",
    message: `syncing to ${to.url}: its statement ${former.version} is another one than the source's`,
    hint: "the target is a mirror with keys of its own: sync into an empty place",
  });
}

/**
 * The commit of a sync: readers find what the source lists from now on.
 * @throws Failure `pointer-raced` (retry) where another writer was quicker; what expectSuccessor and a store throw
 */
export async function movePointer(
  to: Store,
  next: Pointer,
  former: Pointer | undefined,
  options: RetryOptions & { signal?: AbortSignal },
): Promise<void> {
  const { signal } = options;
  const condition = former ? { ifMatch: former.etag } : { ifAbsent: true };
  const write = () =>
    to.write(pointerKey, next.bytes, { ...condition, contentType: "application/json", ...(signal && { signal }) });
  try {
    await withRetries(write, options);
  } catch (error) {
    const lostRace = error instanceof Failure && (error.code === "object-changed" || error.code === "object-exists");
    if (!lostRace) throw error;
    // An answer that was lost on its way looks like another writer.
    const found = await readPointer(to, options);
    if (found && Buffer.compare(found.bytes, next.bytes) === 0) return;
    throw new Failure({
      code: "pointer-raced",
      kind: "retry",
      message: `syncing to ${to.url}: ${pointerKey} has changed in the meantime`,
      hint: "something else writes to this mirror: one run or one publisher at a time",
      cause: error,
    });
  }
}
