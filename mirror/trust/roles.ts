import { imageNameSchema } from "../manifest.ts";

/** The roles of The Update Framework that every mirror has (specification, 2.1), and one role for each image name. */
export const topRoles = ["root", "targets", "snapshot", "timestamp"] as const;

export type TopRole = (typeof topRoles)[number];

/** Whose keys there are. One kind of key, `images`, signs what is said of each image. */
export const keyRoles = ["root", "targets", "images", "snapshot", "timestamp"] as const;

export type KeyRole = (typeof keyRoles)[number];

/** Whose keys are kept offline, and encrypted: what they sign changes with keys and image names only. */
export const offlineRoles: readonly KeyRole[] = ["root", "targets"];

/** How long what a role signs is good for. The nightly renews what its keys sign long before. */
export const lifetimeDays: Readonly<Record<KeyRole, number>> = {
  root: 365,
  targets: 365,
  images: 90,
  snapshot: 14,
  timestamp: 7,
};

/** The only object of a mirror that changes: writing it makes public what it refers to. */
export const pointerKey = "metadata/timestamp.json";

/** @param role `snapshot`, or the name of an image */
export function metadataKey(role: string, version: number): string {
  return `metadata/${version}.${role}.json`;
}

/** What a role may grow to, in bytes: what a reader takes at most before it has verified anything. */
export const metadataLimitBytes = 4 * 2 ** 20;

const statementPattern = /^(images\/([^/]+)\/[^/]+\/)channels\.json$/;

/**
 * What is signed of an image: the path of its `channels.json`, as a target. Its content lies beside under a name that
 * begins with its SHA-256 (specification, 6.2: consistent snapshots).
 * @returns undefined for all other keys
 */
export function parseStatementKey(key: string): { name: string; keyOf: (sha256: string) => string } | undefined {
  const [, folder, name] = statementPattern.exec(key) ?? [];
  if (folder === undefined || !imageNameSchema.safeParse(name).success || name === undefined) return undefined;
  return { name, keyOf: (sha256) => `${folder}${sha256}.channels.json` };
}
