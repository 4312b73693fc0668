import { randomUUID } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { constants, type FileHandle, link, lstat, open, readdir, realpath, rename, rm, utimes } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { Failure } from "../common/failure.ts";
import { withLock } from "../common/file-lock.ts";
import { CountedBody } from "./counted-body.ts";
import { directoryFailure, expectRoom } from "./directory-failure.ts";
import { makeDirectory, synchronize } from "./durable-directory.ts";
import { entityTag } from "./entity-tag.ts";
import { exactBytes, objectShort } from "./exact-bytes.ts";
import { checkKey, checkPrefix } from "./key.ts";
import {
  type BegunWrite,
  nothingBegun,
  type ReadOptions,
  type Store,
  type StoredObject,
  type UnfinishedWrite,
  type WriteOptions,
} from "./store.ts";
import { takeUnfinished, unfinishedName, unfinishedPattern } from "./unfinished-file.ts";

/** Unfinished files and the lock. Keys can't begin with a dot, so that it is no object. */
const privateDirectory = ".metalcast";
const chunkBytes = 2 ** 20;

/** Of an unfinished file that nobody goes on with, which randomUUID has named. */
const partialName = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A directory, as any web server or rsync can serve it: one file per object, at its key. */
export class DirectoryStore implements Store {
  readonly url: string;
  readonly #root: string;

  /** @param root absolute path of a directory that exists */
  constructor(root: string) {
    this.url = pathToFileURL(resolve(root)).href;
    this.#root = resolve(root);
  }

  async stat(key: string): Promise<StoredObject | undefined> {
    const path = this.#path(key);
    return this.#attempt("looking up", key, async () => {
      await this.#expectInside(path);
      const found = await lookUp(path);
      return found && describe(key, found);
    });
  }

  async *read(key: string, { range, ifMatch, signal }: ReadOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    const path = this.#path(key);
    const doing = `reading ${this.url}/${key}`;
    const file = await this.#attempt("reading", key, async () => {
      await this.#expectInside(path);
      return open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    });
    try {
      const { sizeBytes, etag } = describe(key, await file.stat({ bigint: true }));
      if (ifMatch !== undefined && ifMatch !== etag) throw objectChanged(doing);
      const { start, end } = range ?? { start: 0, end: sizeBytes };
      if (end > sizeBytes) throw objectShort(doing, { expected: end, found: sizeBytes });
      yield* exactBytes(readChunks(file, start, end, signal), { sizeBytes: end - start, doing });
    } catch (error) {
      throw await directoryFailure(error, doing, this.#root);
    } finally {
      await file.close();
    }
  }

  async write(
    key: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    options: WriteOptions = {},
  ): Promise<StoredObject> {
    const path = this.#path(key);
    const sizeBytes = body instanceof Uint8Array ? body.byteLength : options.sizeBytes;
    return this.#attempt("writing", key, async () => {
      const temporary = await this.#prepare(randomUUID());
      if (sizeBytes !== undefined) await expectRoom(this.#root, sizeBytes, `writing ${this.url}/${key}`);
      try {
        await using file = await open(temporary, "wx", 0o644);
        await fill(file, body, options.signal);
        return await this.#finish(path, temporary, key, options);
      } finally {
        await rm(temporary, { force: true });
      }
    });
  }

  async writeResumed(
    key: string,
    rest: (begun: BegunWrite) => AsyncIterable<Uint8Array>,
    options: WriteOptions = {},
  ): Promise<StoredObject> {
    const path = this.#path(key);
    const temporary = await this.#attempt("writing", key, () => this.#prepare(unfinishedName(key)));
    const file = await this.#attempt("writing", key, () => takeUnfinished(temporary));
    if (!file) return this.write(key, rest(nothingBegun), options);
    try {
      const { signal, sizeBytes = Number.POSITIVE_INFINITY } = options;
      return await this.#attempt("writing", key, async () => {
        let { size } = await file.stat();
        if (size > sizeBytes) {
          await file.truncate();
          size = 0;
        }
        const needed = sizeBytes - size;
        if (Number.isFinite(needed)) await expectRoom(this.#root, needed, `writing ${this.url}/${key}`);
        await fill(file, rest({ sizeBytes: size, read: () => readChunks(file, 0, size, signal) }), signal);
        const written = await this.#finish(path, temporary, key, options);
        await rm(temporary, { force: true });
        return written;
      });
    } catch (error) {
      const stays = error instanceof Failure && (error.kind === "retry" || error.kind === "interrupted");
      if (!stays) await rm(temporary, { force: true });
      throw error;
    } finally {
      await file.close();
    }
  }

  /** @returns the path of a private file, whose directory is there */
  async #prepare(name: string): Promise<string> {
    await this.#expectRoot();
    const path = join(this.#root, privateDirectory, name);
    await makeDirectory(dirname(path));
    return path;
  }

  /** Makes a file that is whole the object. */
  async #finish(
    path: string,
    temporary: string,
    key: string,
    { ifAbsent, ifMatch, signal }: WriteOptions,
  ): Promise<StoredObject> {
    await this.#expectInside(path);
    await makeDirectory(dirname(path));
    await (ifAbsent ? link(temporary, path) : this.#replace(path, temporary, { key, ifMatch, signal }));
    await synchronize(dirname(path));
    return describe(key, await lstat(path, { bigint: true }));
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncGenerator<StoredObject, void, undefined> {
    checkPrefix(prefix);
    await this.#attempt("listing", prefix, () => this.#expectRoot());
    yield* this.#walk("", prefix, signal);
  }

  async remove(key: string): Promise<void> {
    const path = this.#path(key);
    await this.#attempt("removing", key, async () => {
      await this.#expectInside(path);
      await rm(path, { force: true });
    });
  }

  async *listUnfinished(): AsyncGenerator<UnfinishedWrite, void, undefined> {
    const directory = join(this.#root, privateDirectory);
    for (const name of (await readdir(directory).catch(absent)) ?? []) {
      const path = join(directory, name);
      const isPartial = partialName.test(name) || unfinishedPattern.test(name);
      const found = isPartial ? await lookUp(path) : undefined;
      if (!found) continue;
      const discard = () => this.#attempt("removing", `${privateDirectory}/${name}`, () => rm(path, { force: true }));
      yield { name: `${privateDirectory}/${name}`, startedAt: found.mtime, discard };
    }
  }

  #path(key: string): string {
    checkKey(key);
    return join(this.#root, key);
  }

  async #attempt<T>(verb: string, key: string, work: () => Promise<T>): Promise<T> {
    return work().catch(async (error: unknown) => {
      throw await directoryFailure(error, `${verb} ${this.url}/${key}`, this.#root);
    });
  }

  async #expectRoot(): Promise<string> {
    return realpath(this.#root).catch((error: unknown) => {
      throw new Failure({
        code: "store-missing",
        kind: "configuration",
        message: `opening ${this.url}: there is no such directory`,
        hint: `mkdir -p ${this.#root}, or correct the store's URL`,
        cause: error,
      });
    });
  }

  /** A link may lead from one place in the store to another, not out of it. */
  async #expectInside(path: string): Promise<void> {
    const root = await this.#expectRoot();
    for (let ancestor = dirname(path); ancestor !== this.#root; ancestor = dirname(ancestor)) {
      const real = await realpath(ancestor).catch(absent);
      if (real === undefined) continue;
      if (real === root || real.startsWith(root + sep)) return;
      throw new Failure({
        code: "store-denied",
        kind: "configuration",
        message: `refusing to follow ${ancestor}: the link leads out of ${this.url}`,
        hint: "mount what should be part of the store, or copy it",
      });
    }
  }

  /**
   * Puts the file in the place of another one, whose modification time it exceeds: so no two versions share an entity
   * tag.
   */
  async #replace(
    path: string,
    temporary: string,
    { key, ifMatch, signal }: { key: string; ifMatch: string | undefined; signal: AbortSignal | undefined },
  ): Promise<void> {
    const exchange = async () => {
      const former = await lookUp(path);
      if (ifMatch !== undefined && (!former || describe(key, former).etag !== ifMatch)) {
        throw objectChanged(`writing ${this.url}/${key}`);
      }
      const { mtimeNs } = await lstat(temporary, { bigint: true });
      if (former && mtimeNs <= former.mtimeNs) {
        const seconds = Number(former.mtimeNs) / 1e9 + 0.001;
        await utimes(temporary, seconds, seconds);
      }
      await rename(temporary, path);
    };
    await withLock(join(this.#root, privateDirectory, "lock"), exchange, { signal });
  }

  async *#walk(directory: string, prefix: string, signal?: AbortSignal): AsyncGenerator<StoredObject, void, undefined> {
    signal?.throwIfAborted();
    const entries = await this.#attempt("listing", directory, () =>
      readdir(join(this.#root, directory), { withFileTypes: true }),
    );
    // A directory sorts as its name and a slash, since that is how the keys in it begin.
    const names = entries
      .filter((entry) => !entry.name.startsWith(".") && (entry.isFile() || entry.isDirectory()))
      .map((entry) => directory + entry.name + (entry.isDirectory() ? "/" : ""))
      .sort((a, b) => (a < b ? -1 : 1));
    for (const name of names) {
      if (name.endsWith("/")) {
        if (name.startsWith(prefix) || prefix.startsWith(name)) yield* this.#walk(name, prefix, signal);
      } else if (name.startsWith(prefix)) {
        const found = await lookUp(join(this.#root, name));
        if (found) yield describe(name, found);
      }
    }
  }
}

async function fill(
  file: FileHandle,
  body: Uint8Array | AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<void> {
  await file.writeFile(body instanceof Uint8Array ? body : new CountedBody(body, signal));
  await file.sync();
}

async function* readChunks(file: FileHandle, start: number, end: number, signal?: AbortSignal) {
  for (let position = start; position < end; ) {
    signal?.throwIfAborted();
    const length = Math.min(chunkBytes, end - position);
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Regular files only: a link, a directory or a socket is no object. */
async function lookUp(path: string): Promise<BigIntStats | undefined> {
  const found = await lstat(path, { bigint: true }).catch(absent);
  return found?.isFile() ? found : undefined;
}

function describe(key: string, found: BigIntStats): StoredObject {
  return { key, sizeBytes: Number(found.size), etag: entityTag(found) };
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT" && error.code !== "ENOTDIR") throw error;
}

function objectChanged(doing: string): Failure {
  return new Failure({
    code: "object-changed",
    kind: "failed",
    message: `${doing}: the object has changed in the meantime`,
  });
}
