import { createHash, subtle } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import type { Frame } from "../mirror/manifest.ts";
import { release } from "../mirror/release.ts";

const compress = promisify(zstdCompress);

/** Small enough for many to be in flight, large enough that compressing each by itself costs nothing worth naming. */
export const framePlainBytes = 4 * 2 ** 20;

/**
 * The whole frame in one pass, into one buffer with room for whatever comes out (ZSTD_COMPRESSBOUND of zstd.h): saves a
 * third of the time, and the frame says its plain size, which spares its reader copies too. Node's own way would be to
 * compress all, and then to ask for the end.
 */
const options = {
  params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 },
  chunkSize: framePlainBytes + framePlainBytes / 256 + 1024,
  flush: constants.ZSTD_e_end,
  finishFlush: constants.ZSTD_e_continue,
};

export interface PackedFrame extends Pick<Frame, "plainBytes" | "sha256"> {
  bytes: Uint8Array;
}

/**
 * Makes one independent zstd frame. Compresses and hashes in libuv's pool: several at a time keep several cores busy.
 * @param plain is given away
 */
export async function compressFrame(plain: Uint8Array): Promise<PackedFrame> {
  const plainBytes = plain.length;
  const bytes = await compress(plain, options);
  release(plain);
  const sha256 = Buffer.from(await subtle.digest("SHA-256", bytes)).toString("hex");
  return { bytes, plainBytes, sha256 };
}

/** Writes frames one after another and keeps the account of them that the manifest needs. */
export class FrameWriter {
  readonly frames: Frame[] = [];
  readonly #file: FileHandle;
  readonly #whole = createHash("sha256");
  #offset = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async write({ bytes, plainBytes, sha256 }: PackedFrame): Promise<void> {
    await this.#file.writeFile(bytes);
    this.#whole.update(bytes);
    this.frames.push({ offset: this.#offset, sizeBytes: bytes.length, plainBytes, sha256 });
    this.#offset += bytes.length;
    release(bytes);
  }

  /** @returns the size and SHA-256 of all that was written */
  finish(): { sizeBytes: number; sha256: string } {
    return { sizeBytes: this.#offset, sha256: this.#whole.digest("hex") };
  }
}
