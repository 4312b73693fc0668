import { Failure } from "../../common/failure.ts";
import type { Store, StoredObject } from "../store.ts";

/** By key. */
export type Listing = ReadonlyMap<string, StoredObject>;

export interface Sides {
  /** Undefined where the source can't be listed: a web server, or a bucket without the right to. */
  source: Listing | undefined;
  target: Listing;
}

/** What else lies there, pages and locks, is little. */
const parts = /^(images|metadata)\//;
const cannotList = new Set(["store-read-only", "store-denied"]);

/** What lies at both sides. The source is one of which something has been read. @throws what a store throws */
export async function listSides(from: Store, to: Store, signal?: AbortSignal): Promise<Sides> {
  const [source, target] = await Promise.all([
    listObjects(from, signal).catch((error: unknown) => {
      if (error instanceof Failure && cannotList.has(error.code)) return undefined;
      throw error;
    }),
    listObjects(to, signal),
  ]);
  return { source, target };
}

async function listObjects(store: Store, signal?: AbortSignal): Promise<Listing> {
  const found = new Map<string, StoredObject>();
  for await (const object of store.list("", signal)) if (parts.test(object.key)) found.set(object.key, object);
  return found;
}

const versionFile = /^images\/[^/]+\/[^/]+\/\d{8}\.\d+\/(?=[^/]+$)/;

/** `images/<name>/<arch>/<version>/` of a version's file; undefined where the key is of another kind. */
export function versionPrefix(key: string): string | undefined {
  return versionFile.exec(key)?.[0];
}

/** The files of each version, by its prefix. */
export function groupByVersion(listing: Listing): Map<string, StoredObject[]> {
  const groups = new Map<string, StoredObject[]>();
  for (const object of listing.values()) {
    const prefix = versionPrefix(object.key);
    if (prefix === undefined) continue;
    const group = groups.get(prefix) ?? [];
    groups.set(prefix, group);
    group.push(object);
  }
  return groups;
}
