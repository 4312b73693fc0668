import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import type { Frame } from "../mirror/manifest.ts";

const compress = promisify(zstdCompress);

/** Small enough for many to be in flight, large enough that compressing each by itself costs nothing worth naming. */
export const framePlainBytes = 4 * 2 ** 20;

const options = { params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 } };

interface Pending {
  plainBytes: number;
  compressed: Promise<Buffer>;
}

/** Writes independent zstd frames one after another: compressed side by side, written and hashed in order. */
export class FrameWriter {
  readonly frames: Frame[] = [];
  readonly #file: FileHandle;
  readonly #whole = createHash("sha256");
  readonly #pending: Pending[] = [];
  #offset = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** The bytes must not change afterwards. Waits while as many frames are in work as there are processors. */
  async add(plain: Buffer): Promise<void> {
    if (this.#pending.length >= availableParallelism()) await this.#writeFirst();
    const compressed = compress(plain, options);
    // Looked at only in its turn; until then a failure must not end the process.
    compressed.catch(() => undefined);
    this.#pending.push({ plainBytes: plain.length, compressed });
  }

  /** @returns the size and SHA-256 of all that was written */
  async finish(): Promise<{ sizeBytes: number; sha256: string }> {
    while (this.#pending.length > 0) await this.#writeFirst();
    return { sizeBytes: this.#offset, sha256: this.#whole.digest("hex") };
  }

  async #writeFirst(): Promise<void> {
    const first = this.#pending.shift();
    if (!first) return;
    const bytes = await first.compressed;
    await this.#file.writeFile(bytes);
    this.#whole.update(bytes);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    this.frames.push({ offset: this.#offset, sizeBytes: bytes.length, plainBytes: first.plainBytes, sha256 });
    this.#offset += bytes.length;
  }
}
