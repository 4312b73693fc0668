import { MetaFile, type Root, Snapshot, type Targets, Timestamp } from "@tufjs/models";
import { Failure } from "../../common/failure.ts";
import type { Store } from "../store.ts";
import { expectSigners, type KeyOwner } from "./expect-signers.ts";
import type { KeyRing } from "./key-ring.ts";
import { describeBytes, expiryOf, type Signed, signMetadata, specVersion } from "./metadata.ts";
import type { Signatures } from "./remove-former.ts";
import type { Repository } from "./repository.ts";
import { type KeyRole, metadataKey, pointerKey, type TopRole } from "./roles.ts";

/** Content of a role, for its version and expiry: asked again where the version is taken. */
export type Make<Content extends Signed> = (version: number, expires: string) => Content;

/** What is to be signed anew. */
export interface Change {
  root?: { bytes: Buffer; signed: Root };
  targets?: Make<Targets>;
  /** By the image's name. */
  images?: ReadonlyMap<string, Make<Targets>>;
}

/** What a change begins from: a repository, or for the first one little but its root. */
type Before = Omit<Repository, "targets" | "etag"> & Partial<Pick<Repository, "targets" | "etag">>;

/**
 * Signs a change and makes it public: what is new first, under keys that nobody has written to, then the snapshot of
 * all, and the pointer by a conditional write. Stopped before that, nothing has changed for readers.
 * @throws Failure `object-changed`, `object-exists` (failed) where another writer was faster: read again, and try again;
 *   `signers-missing` (configuration)
 * @returns what is signed now
 */
export async function commit(
  store: Store,
  before: Before,
  ring: KeyRing,
  change: Change,
  { now = new Date(), signal }: { now?: Date; signal?: AbortSignal | undefined } = {},
): Promise<Signatures> {
  const roots = [before.root.signed, ...(change.root ? [change.root.signed] : [])];
  const signersOf = (role: TopRole) => expectSigners(ring, role, roots.map(ownerOf(role)));
  const write = <Content extends Signed>(role: Role, signers: ReturnType<typeof signersOf>, make: Make<Content>) =>
    writeNext(store, role, signal, (version) => {
      const signed = make(version, expiryOf(role.keys, now));
      return { signed, bytes: signMetadata(signed, signers) };
    });
  const versionOf = (role: string) => before.meta[`${role}.json`]?.version ?? 0;

  const meta: Record<string, MetaFile> = { ...before.meta };
  const delegators = before.targets ? [before.targets.signed] : [];
  if (change.targets) {
    const role: Role = { name: "targets", keys: "targets", former: versionOf("targets") };
    const targets = await write(role, signersOf("targets"), change.targets);
    meta["targets.json"] = targets.file;
    delegators.push(targets.signed);
  }
  for (const [name, make] of change.images ?? []) {
    const owners = delegators.flatMap(({ delegations }) => delegations?.roles?.[name] ?? []);
    const role: Role = { name, keys: "images", former: versionOf(name) };
    meta[`${name}.json`] = (await write(role, expectSigners(ring, "images", owners), make)).file;
  }
  const role: Role = { name: "snapshot", keys: "snapshot", former: before.snapshotVersion };
  const { file: snapshotMeta } = await write(role, signersOf("snapshot"), (version, expires) => {
    return new Snapshot({ specVersion, version, expires, meta });
  });

  const version = before.timestampVersion + 1;
  const timestamp = new Timestamp({ specVersion, version, expires: expiryOf("timestamp", now), snapshotMeta });
  await store.write(pointerKey, signMetadata(timestamp, signersOf("timestamp")), {
    ...(before.etag === undefined ? { ifAbsent: true } : { ifMatch: before.etag }),
    ...jsonOptions(signal),
  });
  await ring.raiseSeen({ timestamp: version, snapshot: snapshotMeta.version });
  if (change.root) await writeRoot(store, change.root, signal);
  return { meta, snapshotVersion: snapshotMeta.version };
}

/** It comes after all that it allows, so that readers of either root can verify what they find. */
export async function writeRoot(
  store: Store,
  { bytes, signed }: { bytes: Buffer; signed: Root },
  signal?: AbortSignal,
): Promise<void> {
  await store.write(metadataKey("root", signed.version), bytes, { ifAbsent: true, ...jsonOptions(signal) });
}

interface Role {
  name: string;
  /** Whose keys sign for it. */
  keys: KeyRole;
  /** Its version before; 0 where there was none. */
  former: number;
}

/** Under the first version that nobody has taken: a writer that lost a race, or died, has left its own. */
async function writeNext<Content>(
  store: Store,
  { name, former }: Role,
  signal: AbortSignal | undefined,
  make: (version: number) => { signed: Content; bytes: Buffer },
): Promise<{ signed: Content; file: MetaFile }> {
  for (let version = former + 1; ; version += 1) {
    const { signed, bytes } = make(version);
    try {
      await store.write(metadataKey(name, version), bytes, { ifAbsent: true, ...jsonOptions(signal) });
      return { signed, file: new MetaFile({ version, ...describeBytes(bytes) }) };
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== "object-exists" || version > former + attemptsLimit)
        throw error;
    }
  }
}

/** What all publishers that were ever killed in the middle may have left of one role. */
const attemptsLimit = 1000;

function ownerOf(role: TopRole): (root: Root) => KeyOwner {
  return ({ roles }) => roles[role] ?? { keyIDs: [], threshold: 1 };
}

function jsonOptions(signal: AbortSignal | undefined) {
  return { contentType: "application/json", ...(signal && { signal }) };
}
