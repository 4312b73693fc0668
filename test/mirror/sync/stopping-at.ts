import type { Store } from "../../../mirror/store.ts";
import { changedStore } from "../changed-store.ts";

/** Nothing changes in the store any more after so many changes. The body of the first that fails is taken in part. */
export function stoppingAt(store: Store, moment: number): Store {
  let passed = 0;
  const pass = () => {
    if (passed >= moment) throw new Error("stopped");
    passed += 1;
  };
  return changedStore(store, {
    write: async (key, body, options) => {
      if (passed >= moment && !(body instanceof Uint8Array)) for await (const _ of body) break;
      pass();
      return store.write(key, body, options);
    },
    remove: async (...args) => {
      pass();
      return store.remove(...args);
    },
  });
}
