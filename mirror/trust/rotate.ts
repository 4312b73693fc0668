import { type Root, Targets } from "@tufjs/models";
import { Failure } from "../../common/failure.ts";
import type { Store } from "../store.ts";
import { type Change, commit, type Make } from "./commit.ts";
import { delegate } from "./delegate.ts";
import { expectSigners } from "./expect-signers.ts";
import type { KeyRing } from "./key-ring.ts";
import { expiryOf, signMetadata, specVersion } from "./metadata.ts";
import { type Repository, readImageRole, readRepository } from "./repository.ts";
import type { KeyRole, TopRole } from "./roles.ts";
import { makeRoot, ownersOf } from "./root.ts";

export interface RotateOptions {
  /** How many keys the role has afterwards, all of them new unless `keep`. Default: as many as before. */
  keys?: number;
  /** How many of them have to sign. Default: as before. */
  threshold?: number;
  /** The former keys stay, and new ones are added only as far as `keys` asks for. */
  keep?: boolean;
  now?: Date;
  signal?: AbortSignal;
}

/**
 * Gives a role new keys, or another threshold: by a new root, or for `images` by new delegations. What the role has
 * signed is signed by its former and its new keys, so that no reader is left without, whichever root it knows.
 * Also renews the root's own time. Wants the keys of root, snapshot and timestamp, and for `images` that of targets.
 * @returns the IDs of the role's keys
 * @throws Failure `threshold-invalid` (configuration), `signers-missing` (configuration), as readRepository
 */
export async function rotateKeys(
  store: Store,
  ring: KeyRing,
  role: KeyRole,
  options: RotateOptions = {},
): Promise<string[]> {
  const { now = new Date(), signal } = options;
  const before = await readRepository(store, ring, signal);
  const former = role === "images" ? ownerOfImages(before) : ownerOf(before.root.signed, role);
  const { keys = Math.max(former.keyIDs.length, 1), threshold = former.threshold, keep = false } = options;
  if (threshold < 1 || threshold > keys) throw thresholdInvalid(role, threshold, keys);

  const kept = keep ? ring.pick(former.keyIDs) : [];
  const next = kept.slice(0, keys);
  while (next.length < keys) next.push(await ring.add(role));

  if (role === "images") {
    const names = Object.keys(before.targets.signed.delegations?.roles ?? {});
    const images = await readImages(store, before, names, signal);
    const targets: Change["targets"] = (version, expires) =>
      delegate(before.targets.signed, { names, keys: next, threshold }, { version, expires });
    await commit(store, before, ring, { targets, images }, { now, signal });
  } else {
    const owners = { ...ownersOf(before.root), [role]: { keys: next.map(({ key }) => key), threshold } };
    const signed = makeRoot(owners, { version: before.root.signed.version + 1, expires: expiryOf("root", now) });
    const signers = expectSigners(ring, "root", [ownerOf(before.root.signed, "root"), ownerOf(signed, "root")]);
    const root = { bytes: signMetadata(signed, signers), signed };
    const { delegations } = before.targets.signed;
    const targets: Change["targets"] = (version, expires) =>
      new Targets({ specVersion, version, expires, ...(delegations && { delegations }) });
    await commit(store, before, ring, { root, ...(role === "targets" && { targets }) }, { now, signal });
    await ring.writeRoot(root.bytes);
  }
  return next.map(({ key }) => key.keyID);
}

async function readImages(store: Store, before: Repository, names: readonly string[], signal?: AbortSignal) {
  const images = new Map<string, Make<Targets>>();
  for (const name of names) {
    const role = await readImageRole(store, before, name, signal);
    if (!role) continue;
    const { targets } = role.signed;
    images.set(name, (version, expires) => new Targets({ specVersion, version, expires, targets }));
  }
  return images;
}

function ownerOf(root: Root, role: TopRole) {
  return root.roles[role] ?? { keyIDs: [], threshold: 1 };
}

function ownerOfImages({ targets }: Repository) {
  const [first] = Object.values(targets.signed.delegations?.roles ?? {});
  return first ?? { keyIDs: [], threshold: 1 };
}

function thresholdInvalid(role: KeyRole, threshold: number, keys: number): Failure {
  return new Failure({
    code: "threshold-invalid",
    kind: "configuration",
    message: `rotating the keys of ${role}: ${threshold} signatures cannot come from ${keys} keys`,
    hint: "ask for as many keys as have to sign, or more: --keys-count 3 --threshold 2",
  });
}
