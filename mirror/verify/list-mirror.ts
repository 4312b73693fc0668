import { Failure } from "../../common/failure.ts";
import type { Store, StoredObject } from "../store.ts";

/** By key. */
export type Listing = ReadonlyMap<string, StoredObject>;

const prefixes = ["images/", "metadata/"];

/** All that may be a mirror's; undefined where the store can't be listed: a web server, or a bucket without the right to. */
export async function listMirror(store: Store, signal?: AbortSignal): Promise<Listing | undefined> {
  const found = new Map<string, StoredObject>();
  try {
    for (const prefix of prefixes) {
      for await (const object of store.list(prefix, signal)) found.set(object.key, object);
    }
    return found;
  } catch (error) {
    if (error instanceof Failure && (error.code === "store-read-only" || error.code === "store-denied"))
      return undefined;
    throw error;
  }
}
