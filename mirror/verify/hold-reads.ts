import type { Store } from "../store.ts";

/** A store that reads each object once, and what it has read, by key; what is put in is taken for read. */
export interface HeldReads {
  store: Store;
  bytes: Map<string, Buffer>;
}

/**
 * Gives the same bytes whenever an object is read again: so that what is judged and what is followed are one state of
 * the mirror, whatever is published meanwhile. For small objects.
 */
export function holdReads(store: Store): HeldReads {
  const bytes = new Map<string, Buffer>();
  const holding: Store = {
    url: store.url,
    stat: (key, signal) => store.stat(key, signal),
    async *read(key, options) {
      const known = bytes.get(key);
      if (known) return yield Buffer.from(known);
      const chunks: Buffer[] = [];
      for await (const chunk of store.read(key, options)) {
        chunks.push(Buffer.from(chunk));
        yield chunk;
      }
      bytes.set(key, Buffer.concat(chunks));
    },
    write: (key, body, options) => store.write(key, body, options),
    list: (prefix, signal) => store.list(prefix, signal),
    remove: (key, signal) => store.remove(key, signal),
  };
  return { store: holding, bytes };
}
