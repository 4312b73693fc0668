import type { Targets } from "@tufjs/models";
import { Failure } from "../../common/failure.ts";
import { readWhole } from "../read-whole.ts";
import type { Store } from "../store.ts";
import { commit, writeRoot } from "./commit.ts";
import { delegate } from "./delegate.ts";
import type { KeyRing } from "./key-ring.ts";
import { expiryOf, parseMetadata, signMetadata } from "./metadata.ts";
import { keyRoles, metadataKey, metadataLimitBytes, pointerKey, type TopRole } from "./roles.ts";
import { makeRoot } from "./root.ts";

export interface InitOptions {
  /** Names of images that its keys may sign for from the start. */
  images?: readonly string[];
  now?: Date;
  signal?: AbortSignal;
}

/**
 * Makes a store a mirror: keys for each role in the ring's folder, a root that names them, and the first, empty
 * statement. The ring's `root.json` is what readers pin.
 * @throws Failure `mirror-exists` (refused), `passphrase-missing` (configuration); what a store throws
 */
export async function initMirror(store: Store, ring: KeyRing, options: InitOptions = {}): Promise<void> {
  const { images = [], now = new Date(), signal } = options;
  if (await store.stat(pointerKey, signal)) throw mirrorExists(store);
  for (const role of keyRoles) if (ring.ofRole(role).length === 0) await ring.add(role);

  const owner = (role: TopRole) => ({ keys: ring.ofRole(role).map(({ key }) => key), threshold: 1 });
  const owners = {
    root: owner("root"),
    targets: owner("targets"),
    snapshot: owner("snapshot"),
    timestamp: owner("timestamp"),
  };
  const firstKey = metadataKey("root", 1);
  const isBegun = (await store.stat(firstKey, signal)) !== undefined;
  const signed = makeRoot(owners, { version: 1, expires: expiryOf("root", now) });
  const bytes = isBegun ? await ring.readRoot() : signMetadata(signed, ring.ofRole("root"));
  if (isBegun) {
    // A run that was killed in the middle had these keys, too, or the store is somebody else's.
    const there = await readWhole(store, firstKey, { limitBytes: metadataLimitBytes, ...(signal && { signal }) });
    if (!there.equals(bytes)) throw mirrorExists(store);
  } else {
    await ring.writeRoot(bytes);
    await writeRoot(store, { bytes, signed }, signal);
  }

  const root = parseMetadata("root", bytes, "the root");
  const before = { root, meta: {}, snapshotVersion: 0, timestampVersion: 0 };
  const added = { names: images, keys: ring.ofRole("images") };
  const targets = (version: number, until: string): Targets => delegate(undefined, added, { version, expires: until });
  await commit(store, before, ring, { targets }, { now, signal });
}

function mirrorExists(store: Store): Failure {
  return new Failure({
    code: "mirror-exists",
    kind: "refused",
    message: `making ${store.url} a mirror: it is one already`,
    hint: "its keys are in the folder that was named then; `metalcast mirror rotate` makes new ones",
  });
}
