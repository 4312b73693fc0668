import type { Arch } from "./manifest.ts";
import { type Promoted, promote } from "./promote.ts";
import { formatReference } from "./reference.ts";
import type { Store } from "./store.ts";

export interface RollbackOptions {
  /** The older version, which is still listed. */
  version: string;
  arch: Arch;
  /** The channel that goes back. Default: stable. */
  channel?: string;
  signal?: AbortSignal;
}

/**
 * Lets a channel name an older version again, as a new statement: readers see no older state of the mirror. It is noted
 * which version the channel was taken back from, so that the nightly does not promote that one again; promoted by hand
 * it can be.
 * @param name of the image: `debian-12`
 * @throws Failure `channel-behind` (refused) where the channel names an older version or none; `reference-invalid`,
 *   `version-unknown` (configuration) and what else resolveImage throws
 */
export async function rollback(
  store: Store,
  name: string,
  { version, ...options }: RollbackOptions,
): Promise<Promoted> {
  return promote(store, formatReference({ name, version }), { ...options, back: true });
}
