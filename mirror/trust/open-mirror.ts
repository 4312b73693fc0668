import { openStore, type StoreOptions } from "../open-store.ts";
import type { Store } from "../store.ts";
import type { KeyRing } from "./key-ring.ts";
import { TrustedReader } from "./reader.ts";
import { SignedStore } from "./signed-store.ts";

export interface MirrorTrust {
  /** The root that `metalcast mirror init` has made, as its reader has pinned it: JSON. */
  root: string | Uint8Array;
  /** A folder that remembers what was seen of the mirror, so that an older state is refused later, too. */
  memory?: string;
}

/**
 * Opens a mirror for reading: all that is said of its images is verified from the pinned root.
 * @param url as for `openStore`
 * @throws Failure `store-url-invalid` (configuration)
 */
export function openMirror(url: string, { root, memory }: MirrorTrust, options: StoreOptions = {}): Store {
  const store = openStore(url, options);
  return new SignedStore(store, new TrustedReader(store, Buffer.from(root), memory));
}

/** Makes a store a mirror to publish to: what is said of its images is signed by the ring's keys. */
export async function signWith(ring: KeyRing, store: Store): Promise<Store> {
  return new SignedStore(store, new TrustedReader(store, await ring.readRoot()), ring);
}
