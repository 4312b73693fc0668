import { Targets } from "@tufjs/models";
import type { Store } from "../store.ts";
import { commit, type Make } from "./commit.ts";
import type { KeyRing } from "./key-ring.ts";
import { specVersion } from "./metadata.ts";
import { removeFormer } from "./remove-former.ts";
import { type Repository, readImageRole, readRepository } from "./repository.ts";
import { type KeyRole, lifetimeDays } from "./roles.ts";

export interface Expiry {
  /** A role, or the name of an image. */
  role: string;
  expires: Date;
  /** Less than a third of the time that its role has is left, and this run could not renew it: an offline key has to. */
  isDue: boolean;
}

/**
 * Signs the mirror's state anew, so that readers can tell that it is not an old one; also what is said of images, once
 * half of its time is over. Then removes former versions of metadata. Wants the keys of snapshot, timestamp and images.
 * @returns when what is signed now expires, root and targets first
 * @throws Failure as readRepository and commit do
 */
export async function refreshMirror(
  store: Store,
  ring: KeyRing,
  { now = new Date(), signal }: { now?: Date; signal?: AbortSignal } = {},
): Promise<Expiry[]> {
  const before = await readRepository(store, ring, signal);
  const images: Map<string, Make<Targets>> = new Map();
  const kept: Expiry[] = [];
  for (const name of namesOf(before)) {
    const role = await readImageRole(store, before, name, signal);
    if (!role) continue;
    const { targets, expires } = role.signed;
    if (leftOf("images", expires, now) > 1 / 2) kept.push(describe(name, "images", expires, now));
    else images.set(name, (version, until) => new Targets({ specVersion, version, expires: until, targets }));
  }
  const signatures = await commit(store, before, ring, { images }, { now, signal });
  await removeFormer(store, signatures, { signal });
  const { root, targets } = before;
  return [
    describe("root", "root", root.signed.expires, now),
    describe("targets", "targets", targets.signed.expires, now),
    ...kept,
  ];
}

function namesOf({ meta }: Repository): string[] {
  return Object.keys(meta).flatMap((file) => (file === "targets.json" ? [] : file.replace(/\.json$/, "")));
}

function describe(role: string, keyRole: KeyRole, expires: string, now: Date): Expiry {
  return { role, expires: new Date(expires), isDue: leftOf(keyRole, expires, now) < 1 / 3 };
}

/** The share of its time that is left. */
function leftOf(role: KeyRole, expires: string, now: Date): number {
  return (Date.parse(expires) - now.getTime()) / (lifetimeDays[role] * 86_400_000);
}
