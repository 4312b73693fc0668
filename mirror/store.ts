/** One object as a store lists it. The entity tag is opaque and changes with the content. */
export interface StoredObject {
  key: string;
  sizeBytes: number;
  etag: string;
}

export interface ReadOptions {
  /** Bytes from `start` up to, not including, `end`; at least one. */
  range?: { start: number; end: number };
  /** Fail with `object-changed` unless the object still has this entity tag. */
  ifMatch?: string;
  signal?: AbortSignal;
}

export interface WriteOptions {
  /** Fail with `object-exists` if there is an object at the key already. */
  ifAbsent?: boolean;
  /** Fail with `object-changed` unless the object still has this entity tag. */
  ifMatch?: string;
  contentType?: string;
  /** How long the body is, where that is known: what does not fit is refused before it is begun. */
  sizeBytes?: number;
  signal?: AbortSignal;
}

/** The beginning of an object. */
export interface BegunWrite {
  sizeBytes: number;
  read(): AsyncIterable<Uint8Array>;
}

export const nothingBegun: BegunWrite = { sizeBytes: 0, async *read() {} };

export interface CopyFromOptions {
  contentType?: string;
  signal?: AbortSignal;
}

/** An object that a server has copied by itself. */
export interface CopiedObject extends StoredObject {
  /** What the server says its SHA-256 is, hexadecimal; not there where it says nothing of the whole. */
  sha256?: string;
}

/** What is being written, or was when its writer ended: no object yet. */
export interface UnfinishedWrite {
  /** The key, where it is known. */
  name: string;
  startedAt: Date;
  /** Removes it. */
  discard(): Promise<void>;
}

/**
 * Where published images live. Every implementation passes the contract suite in test/mirror/store-contract.ts.
 *
 * Keys are relative paths of safe characters (`images/debian-12/amd64/20261123.0/manifest.json`), see key.ts.
 * A reader sees an object whole or not at all; a write that fails leaves what was there before. A body that throws ends
 * the write with its own error.
 *
 * Failures, all of type Failure:
 * - `object-missing`, `object-exists`, `object-changed`, `key-invalid` (failed)
 * - `store-unreachable` (retry); `download-cut` (retry) where a body breaks off
 * - `object-short` (integrity) where a range lies beyond the object's end; `body-overlong` (integrity)
 * - `store-denied`, `store-missing` (no such bucket or directory), `store-full`, `store-read-only` (configuration)
 * - `interrupted` by the signal
 */
export interface Store {
  /** As the user wrote it, without credentials: `s3://images/prefix`, `file:///srv/mirror`. */
  readonly url: string;
  /** @returns undefined where there is no such object */
  stat(key: string, signal?: AbortSignal): Promise<StoredObject | undefined>;
  /** The object's bytes (or the range's), in chunks of any size: all of them, or a Failure. The chunks are given away. */
  read(key: string, options?: ReadOptions): AsyncIterable<Uint8Array>;
  /** Streams of any length; memory is bounded. */
  write(key: string, body: Uint8Array | AsyncIterable<Uint8Array>, options?: WriteOptions): Promise<StoredObject>;
  /**
   * Writes an object of which a writer that was killed may have left the beginning. What an interruption or a failure of
   * kind `retry` ends is left to the next one in turn. Not all stores can; a store whose `write` does it by itself needs
   * no such method.
   * @param rest is told what is there, and gives what comes after it; it throws where the whole is not what it should be
   */
  writeResumed?(
    key: string,
    rest: (begun: BegunWrite) => AsyncIterable<Uint8Array>,
    options?: WriteOptions,
  ): Promise<StoredObject>;
  /** All objects whose key starts with the prefix, in byte order of their keys. */
  list(prefix: string, signal?: AbortSignal): AsyncIterable<StoredObject>;
  /** Removing what is not there is fine. */
  remove(key: string, signal?: AbortSignal): Promise<void>;
  /** Writes below the prefix, or of an unknown key, that have not come to their end. Not all stores have such. */
  listUnfinished?(prefix: string, signal?: AbortSignal): AsyncIterable<UnfinishedWrite>;
  /**
   * Copies an object of another store to the same key here, in place of what may be there, without its bytes passing
   * through this process: `object-changed` unless it is still the object that is given. Not all stores can.
   * @returns undefined where both are not on one server
   * @throws Failure `copy-refused` (failed) where the server can't or won't
   */
  copyFrom?(from: Store, object: StoredObject, options?: CopyFromOptions): Promise<CopiedObject | undefined>;
}
