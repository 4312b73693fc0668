import type { Store } from "../../mirror/store.ts";

/** A store with some of its methods replaced: a server that misbehaves, or one that is watched. */
export function changedStore(store: Store, changes: Partial<Store>): Store {
  return {
    url: store.url,
    stat: (...args) => store.stat(...args),
    read: (...args) => store.read(...args),
    write: (...args) => store.write(...args),
    list: (...args) => store.list(...args),
    remove: (...args) => store.remove(...args),
    ...changes,
  };
}
