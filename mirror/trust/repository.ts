import { type Metadata, MetaFile, type Root, Snapshot, type Targets, Timestamp } from "@tufjs/models";
import { Failure } from "../../common/failure.ts";
import { readWhole } from "../read-whole.ts";
import { withRetries } from "../retry.ts";
import type { Store } from "../store.ts";
import { expectSigners, type KeyOwner } from "./expect-signers.ts";
import type { KeyRing } from "./key-ring.ts";
import { describeBytes, expectDescribed, expiryOf, parseMetadata, signMetadata, specVersion } from "./metadata.ts";
import { type KeyRole, metadataKey, metadataLimitBytes, pointerKey } from "./roles.ts";
import { expectSignedBy } from "./trust-failure.ts";

/** What is signed of a mirror now, as whoever signs next needs it. */
export interface Repository {
  root: Metadata<Root>;
  /** Names no target of its own: it delegates each image name to a role. */
  targets: Metadata<Targets>;
  /** What the snapshot refers to: `targets.json`, and `NAME.json` of each image. */
  meta: Readonly<Record<string, MetaFile>>;
  snapshotVersion: number;
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
  await expectNotOlder(store, ring, { timestamp: timestamp.signed.version, snapshot: snapshot.signed.version });

  const { meta } = snapshot.signed;
  const targets = await readRole(store, { root, parent: root, meta }, "targets", signal);
  return {
    ...{ root, targets, meta, etag: found.etag },
    snapshotVersion: snapshot.signed.version,
    timestampVersion: timestamp.signed.version,
  };
}

/** What the role of an image has signed. @returns undefined where nothing has been said of the image yet */
export async function readImageRole(
  store: Store,
  { root, targets, meta }: Pick<Repository, "root" | "targets" | "meta">,
  name: string,
  signal?: AbortSignal,
): Promise<Metadata<Targets> | undefined> {
  if (!meta[`${name}.json`]) return undefined;
  return readRole(store, { root, parent: targets, meta }, name, signal);
}

/** What is to be signed anew; each is asked with its version and expiry, again where the version is taken. */
export interface Change {
  root?: { bytes: Buffer; signed: Root };
  targets?: (version: number, expires: string) => Targets;
  images?: ReadonlyMap<string, (version: number, expires: string) => Targets>;
}

/**
 * Signs a change and makes it public: what is new first, under keys that nobody has written to, then the snapshot of
 * all, and the pointer by a conditional write. Stopped before that, nothing has changed for readers.
 * @throws Failure `object-changed`, `object-exists` (failed) where another writer was faster: read again, and try again;
 *   `signers-missing` (configuration)
 */
export async function commit(
  store: Store,
  before: Omit<Repository, "etag" | "targets"> & { etag: string | undefined; targets?: Metadata<Targets> },
  ring: KeyRing,
  { root, targets, images = new Map() }: Change,
  { now = new Date(), signal }: { now?: Date; signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const roots = root ? [before.root.signed, root.signed] : [before.root.signed];
  const signersOf = (role: KeyRole) =>
    expectSigners(
      ring,
      role,
      roots.map((each) => ownerOf(each, role)),
    );
  const next = { ...before.meta };
  const sign = async (
    role: string,
    keyRole: KeyRole,
    make: (version: number, expires: string) => Snapshot | Targets,
  ) => {
    // Where there is no delegation yet, targets is made by this very change.
    const signers = keyRole === "images" ? pickImageSigners(role) : signersOf(keyRole);
    const write = (version: number) => signMetadata(make(version, expiryOf(keyRole, now)), signers);
    const former = role === "snapshot" ? before.snapshotVersion : (before.meta[`${role}.json`]?.version ?? 0);
    return writeNext(store, role, former, write, signal);
  };
  let newTargets: Targets | undefined;
  const pickImageSigners = (name: string) => {
    const parents = [newTargets, before.targets?.signed].filter((parent) => parent !== undefined);
    return expectSigners(
      ring,
      "images",
      parents.flatMap((parent) => parent.delegations?.roles?.[name] ?? []),
    );
  };

  if (targets) {
    next["targets.json"] = await sign("targets", "targets", (version, expires) => {
      newTargets = targets(version, expires);
      return newTargets;
    });
  }
  for (const [name, make] of images) next[`${name}.json`] = await sign(name, "images", make);
  const snapshotMeta = await sign(
    "snapshot",
    "snapshot",
    (version, expires) => new Snapshot({ specVersion, version, expires, meta: next }),
  );
  const version = before.timestampVersion + 1;
  const timestamp = new Timestamp({ specVersion, version, expires: expiryOf("timestamp", now), snapshotMeta });
  await store.write(pointerKey, signMetadata(timestamp, signersOf("timestamp")), {
    ...(before.etag === undefined ? { ifAbsent: true } : { ifMatch: before.etag }),
    contentType: "application/json",
    ...(signal && { signal }),
  });
  await ring.writeSeen({ timestamp: version, snapshot: snapshotMeta.version });
  if (root) await writeRoot(store, root, signal);
}

/** Its own version comes after all that it allows, so that readers of either root can verify what they find. */
export async function writeRoot(
  store: Store,
  { bytes, signed }: { bytes: Buffer; signed: Root },
  signal?: AbortSignal,
): Promise<void> {
  await store.write(metadataKey("root", signed.version), bytes, {
    ifAbsent: true,
    contentType: "application/json",
    ...(signal && { signal }),
  });
}

function ownerOf(root: Root, role: KeyRole): KeyOwner {
  return root.roles[role] ?? { keyIDs: [], threshold: 1 };
}

/** Under the first version after `former` that nobody has taken: a writer that lost a race, or died, has left its own. */
async function writeNext(
  store: Store,
  role: string,
  former: number,
  make: (version: number) => Buffer,
  signal?: AbortSignal,
): Promise<MetaFile> {
  for (let version = former + 1; ; version += 1) {
    const bytes = make(version);
    try {
      const options = { ifAbsent: true, contentType: "application/json", ...(signal && { signal }) };
      await store.write(metadataKey(role, version), bytes, options);
      return new MetaFile({ version, ...describeBytes(bytes) });
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== "object-exists" || version > former + 1000) throw error;
    }
  }
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
  { parent, meta }: { root: Metadata<Root>; parent: Metadata<Root> | Metadata<Targets>; meta: Repository["meta"] },
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

async function expectNotOlder(store: Store, ring: KeyRing, found: { timestamp: number; snapshot: number }) {
  const seen = await ring.readSeen();
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
