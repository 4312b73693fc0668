import { type Key, type Metadata, Root } from "@tufjs/models";
import { specVersion } from "./metadata.ts";
import { type TopRole, topRoles } from "./roles.ts";

/** The keys of a role, and how many of them have to sign. */
export interface RoleKeys {
  keys: readonly Key[];
  threshold: number;
}

/** A root that names the keys of every role. */
export function makeRoot(
  owners: Readonly<Record<TopRole, RoleKeys>>,
  { version, expires }: { version: number; expires: string },
): Root {
  const keys = topRoles.flatMap((role) => owners[role].keys);
  const roles = topRoles.map((role) => {
    const { keys: own, threshold } = owners[role];
    return [role, { keyids: own.map(({ keyID }) => keyID), threshold }];
  });
  return Root.fromJSON({
    ...{ spec_version: specVersion, version, expires, consistent_snapshot: true },
    keys: Object.fromEntries(keys.map((key) => [key.keyID, key.toJSON()])),
    roles: Object.fromEntries(roles),
  });
}

/** Whom a root names. */
export function ownersOf({ signed }: Metadata<Root>): Record<TopRole, RoleKeys> {
  const owner = (role: TopRole) => {
    const { keyIDs, threshold } = signed.roles[role] ?? { keyIDs: [], threshold: 1 };
    return { keys: keyIDs.flatMap((keyID) => signed.keys[keyID] ?? []), threshold };
  };
  return {
    root: owner("root"),
    targets: owner("targets"),
    snapshot: owner("snapshot"),
    timestamp: owner("timestamp"),
  };
}
