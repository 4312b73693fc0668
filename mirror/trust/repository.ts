import type { Metadata, Root, Targets } from "@tufjs/models";
import { Failure } from "../../common/failure.ts";
import { readWhole } from "../read-whole.ts";
import { withRetries } from "../retry.ts";
import type { Store } from "../store.ts";
import type { KeyRing, Seen } from "./key-ring.ts";
import { expectDescribed, parseMetadata } from "./metadata.ts";
import type { Signatures } from "./remove-former.ts";
import { metadataKey, metadataLimitBytes, pointerKey } from "./roles.ts";
import { expectSignedBy } from "./trust-failure.ts";

/** What is signed of a mirror now, as whoever signs next needs it. */
export interface Repository extends Signatures {
  root: Metadata<Root>;
  /** Names no target of its own: it delegates each image name to a role. */
  targets: Metadata<Targets>;
  timestampVersion: number;
  /** Of the pointer. */
  etag: string;
}

/**
 * Follows the signatures from the pinned root to what they vouch for, for whoever is to sign next. Unlike a reader it
 * takes what has expired, which only a signature can mend.
 * @throws Failure `mirror-unsigned` (configuration); of integrity: what trust-failure.ts names, `mirror-rolled-back`
 */
export async function readRepository(store: Store, ring: KeyRing, signal?: AbortSignal): Promise<Repository> {
  const read = (key: string) => readMetadata(store, key, signal);
  const where = (key: string) => `${store.url}/${key}`;
  // Before the store is: what others sign while it is read is newer, and not what this one has found.
  const seen = await ring.readSeen();
  const found = await withRetries(() => store.stat(pointerKey, signal), signal ? { signal } : {});
  if (!found) throw mirrorUnsigned(store);
  const root = await readNewestRoot(store, await ring.readRoot(), signal);

  const pointer = await read(pointerKey);
  const timestamp = parseMetadata("timestamp", pointer, where(pointerKey));
  expectSignedBy(root, "timestamp", timestamp, where(pointerKey));
  const snapshotMeta = timestamp.signed.snapshotMeta;
  const snapshotKey = metadataKey("snapshot", snapshotMeta.version);
  const snapshotBytes = await read(snapshotKey);
  expectDescribed(snapshotMeta, snapshotBytes, where(snapshotKey));
  const snapshot = parseMetadata("snapshot", snapshotBytes, where(snapshotKey));
  expectSignedBy(root, "snapshot", snapshot, where(snapshotKey));
  const versions = { timestamp: timestamp.signed.version, snapshot: snapshot.signed.version };
  expectNotOlder(store, ring, { seen, found: versions });
  await ring.raiseSeen(versions);

  const { meta } = snapshot.signed;
  const targets = await readRole(store, { parent: root, meta }, "targets", signal);
  return {
    ...{ root, targets, meta, etag: found.etag },
    snapshotVersion: snapshot.signed.version,
    timestampVersion: timestamp.signed.version,
  };
}

/** What the role of an image has signed. @returns undefined where nothing has been said of the image yet */
export async function readImageRole(
  store: Store,
  { targets, meta }: Pick<Repository, "targets" | "meta">,
  name: string,
  signal?: AbortSignal,
): Promise<Metadata<Targets> | undefined> {
  if (!meta[`${name}.json`]) return undefined;
  return readRole(store, { parent: targets, meta }, name, signal);
}

/** Each root vouches for the next (specification, 5.3). */
async function readNewestRoot(store: Store, pinned: Buffer, signal?: AbortSignal): Promise<Metadata<Root>> {
  let root = parseMetadata("root", pinned, "the pinned root");
  for (;;) {
    const key = metadataKey("root", root.signed.version + 1);
    if (!(await withRetries(() => store.stat(key, signal), signal ? { signal } : {}))) return root;
    const next = parseMetadata("root", await readMetadata(store, key, signal), `${store.url}/${key}`);
    expectSignedBy(root, "root", next, `${store.url}/${key}`);
    expectSignedBy(next, "root", next, `${store.url}/${key}`);
    root = next;
  }
}

async function readRole(
  store: Store,
  { parent, meta }: { parent: Metadata<Root> | Metadata<Targets>; meta: Repository["meta"] },
  role: string,
  signal?: AbortSignal,
): Promise<Metadata<Targets>> {
  const described = meta[`${role}.json`];
  if (!described) throw metadataMissing(store, role);
  const key = metadataKey(role, described.version);
  const bytes = await readMetadata(store, key, signal);
  expectDescribed(described, bytes, `${store.url}/${key}`);
  const found = parseMetadata("targets", bytes, `${store.url}/${key}`);
  expectSignedBy(parent, role, found, `${store.url}/${key}`);
  return found;
}

async function readMetadata(store: Store, key: string, signal?: AbortSignal): Promise<Buffer> {
  return readWhole(store, key, { limitBytes: metadataLimitBytes, ...(signal && { signal }) });
}

function expectNotOlder(store: Store, ring: KeyRing, { seen, found }: { seen: Seen; found: Seen }): void {
  if (found.timestamp >= seen.timestamp && found.snapshot >= seen.snapshot) return;
  throw new Failure({
    code: "mirror-rolled-back",
    kind: "integrity",
    message: `reading ${store.url}/${pointerKey}: version ${found.timestamp} was replaced by version ${seen.timestamp} before`,
    hint: `somebody has put an older state back. If that was you, remove ${ring.directory}/seen.json`,
    data: { expected: seen, found },
  });
}

function mirrorUnsigned(store: Store): Failure {
  return new Failure({
    code: "mirror-unsigned",
    kind: "configuration",
    message: `reading ${store.url}: it has no ${pointerKey}`,
    hint: "check the URL, or make it a mirror with `metalcast mirror init`",
  });
}

function metadataMissing(store: Store, role: string): Failure {
  return new Failure({
    code: "metadata-mixed",
    kind: "integrity",
    message: `reading ${store.url}: its snapshot does not have ${role}`,
    hint: "the mirror is damaged or tampered with: sync it again",
  });
}
