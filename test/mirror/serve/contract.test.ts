import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { DirectoryStore } from "../../../mirror/directory-store.ts";
import { HttpStore } from "../../../mirror/http-store.ts";
import { type ServedMirror, serveMirror } from "../../../mirror/serve/serve-mirror.ts";
import type { ReadOptions, Store, StoredObject, WriteOptions } from "../../../mirror/store.ts";
import { testStoreContract } from "../store-contract.ts";

const parent = await mkdtemp(join(tmpdir(), "serve-contract-"));
const served: ServedMirror[] = [];
afterAll(async () => {
  for (const { close } of served) await close();
  await rm(parent, { recursive: true });
});

/** A directory that is written to as such, and read over HTTP. Its entity tags are those of HTTP, in quotes. */
class ServedStore implements Store {
  readonly url: string;
  readonly #directory: DirectoryStore;
  readonly #http: HttpStore;

  constructor(root: string, url: string) {
    this.#directory = new DirectoryStore(root);
    this.#http = new HttpStore(new URL(url));
    this.url = this.#http.url;
  }

  stat(key: string, signal?: AbortSignal) {
    return this.#http.stat(key, signal);
  }

  read(key: string, options?: ReadOptions) {
    return this.#http.read(key, options);
  }

  async write(key: string, body: Uint8Array | AsyncIterable<Uint8Array>, options: WriteOptions = {}) {
    const { ifMatch, ...rest } = options;
    const condition = ifMatch === undefined ? {} : { ifMatch: ifMatch.replaceAll('"', "") };
    return quote(await this.#directory.write(key, body, { ...rest, ...condition }));
  }

  async *list(prefix: string, signal?: AbortSignal) {
    for await (const object of this.#directory.list(prefix, signal)) yield quote(object);
  }

  remove(key: string) {
    return this.#directory.remove(key);
  }
}

const quote = (object: StoredObject): StoredObject => ({ ...object, etag: `"${object.etag}"` });

testStoreContract(
  async () => {
    const root = await mkdtemp(join(parent, "mirror-"));
    const mirror = await serveMirror(root, { port: 0 });
    served.push(mirror);
    return new ServedStore(root, mirror.url);
  },
  // A server without its directory does not even start: see serve-mirror.test.ts.
  async () => new DirectoryStore(join(parent, "missing")),
);
