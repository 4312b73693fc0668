import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { Secret } from "../../../common/secret.ts";
import type { Store } from "../../../mirror/store.ts";
import { type InitOptions, initMirror } from "../../../mirror/trust/init.ts";
import { KeyRing } from "../../../mirror/trust/key-ring.ts";
import { signWith } from "../../../mirror/trust/open-mirror.ts";

/** Makes a store a mirror, with all of its keys in a new folder of `directory`. */
export async function newMirror(store: Store, { directory, ...options }: InitOptions & { directory: string }) {
  const keys = await mkdtemp(join(directory, "keys-"));
  const ring = await KeyRing.create(keys, new Secret("a passphrase of the tests"));
  await initMirror(store, ring, options);
  const root = (await ring.readRoot()).toString();
  return { ring, keys, root, mirror: await signWith(ring, store) };
}
