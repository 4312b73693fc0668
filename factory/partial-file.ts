import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { assertDigest, type Checksum } from "./checksum.ts";

/**
 * What has come of a file so far: `PATH.partial`, its hash, and in `PATH.etag` the entity tag of the file that it is
 * the beginning of. It outlives a run that was cut short.
 */
export class PartialFile implements AsyncDisposable {
  bytes = 0;
  /** Of the file that these bytes are the beginning of. */
  etag: string | undefined;
  readonly #path: string;
  readonly #checksum: Checksum;
  readonly #file: FileHandle;
  #hash: Hash;

  private constructor(path: string, checksum: Checksum, file: FileHandle) {
    this.#path = path;
    this.#checksum = checksum;
    this.#file = file;
    this.#hash = createHash(checksum.algorithm);
  }

  /** Goes on with what an earlier run has left. */
  static async open(path: string, checksum: Checksum): Promise<PartialFile> {
    const partial = new PartialFile(path, checksum, await open(`${path}.partial`, "a", 0o600));
    const etag = await readFile(`${path}.etag`, "utf8").catch(() => undefined);
    if (etag === undefined) return partial;
    for await (const chunk of createReadStream(`${path}.partial`, { highWaterMark: 2 ** 20 })) partial.#count(chunk);
    if (partial.bytes > 0) partial.etag = etag;
    return partial;
  }

  /** Whether an earlier run had all of it. */
  isComplete(): boolean {
    return this.bytes > 0 && this.#hash.copy().digest("hex") === this.#checksum.digest;
  }

  /** Begins again with a file of this entity tag. */
  async restart(etag: string | undefined): Promise<void> {
    await rm(`${this.#path}.etag`, { force: true });
    await this.#file.truncate(0);
    this.bytes = 0;
    this.#hash = createHash(this.#checksum.algorithm);
    this.etag = etag;
    if (etag !== undefined) await writeFile(`${this.#path}.etag`, etag, { mode: 0o600 });
  }

  async append(chunk: Uint8Array): Promise<void> {
    await this.#file.writeFile(chunk);
    this.#count(chunk);
  }

  #count(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.bytes += chunk.length;
  }

  /** @throws Failure `checksum-mismatch` (integrity); then nothing of the file is kept */
  async finish(url: string): Promise<void> {
    try {
      assertDigest(url, this.#checksum, this.#hash.digest("hex"));
    } catch (error) {
      await this.discard();
      throw error;
    }
    await this.#file.sync();
    await rename(`${this.#path}.partial`, this.#path);
    await rm(`${this.#path}.etag`, { force: true });
  }

  async discard(): Promise<void> {
    await rm(`${this.#path}.partial`, { force: true });
    await rm(`${this.#path}.etag`, { force: true });
  }

  /** Without an entity tag, or without a byte, there is nothing to go on from. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
    if (this.etag === undefined || this.bytes === 0) await this.discard();
  }
}
