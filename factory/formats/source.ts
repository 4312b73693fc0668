import { constants, type FileHandle, open } from "node:fs/promises";
import { Failure } from "../../common/failure.ts";

/** A file, or a part of one, that is read at positions. */
export interface ByteSource {
  /** What it is called in errors. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Fills the buffer from the position. @returns bytes read, fewer than asked for or 0 at the end */
  read(buffer: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}

/** @throws Failure `image-unreadable` (configuration): not there, not permitted, or not a regular file */
export async function openSource(path: string): Promise<ByteSource> {
  const handle = await openRegularFile(path).catch((cause: unknown) => {
    throw new Failure({
      code: "image-unreadable",
      kind: "configuration",
      message: `opening the image ${path}: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: "name a regular file that you may read",
      cause,
    });
  });
  const { size } = await handle.stat();
  return {
    name: path,
    sizeBytes: size,
    read: async (buffer, position) => (await handle.read(buffer, 0, buffer.length, position)).bytesRead,
    close: () => handle.close(),
  };
}

/** Opens, uses and closes. @throws Failure as openSource, and what the use throws */
export async function withSource<T>(path: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  const source = await openSource(path);
  try {
    return await use(source);
  } finally {
    await source.close();
  }
}

async function openRegularFile(path: string): Promise<FileHandle> {
  // Without O_NONBLOCK, opening a FIFO would wait for a writer that never comes.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new Error("not a regular file");
}

/** A part of a source as a source of its own. Closing it leaves the whole open. */
export function windowOf(whole: ByteSource, name: string, start: number, sizeBytes: number): ByteSource {
  return {
    name,
    sizeBytes,
    read: (buffer, position) =>
      position >= sizeBytes
        ? Promise.resolve(0)
        : whole.read(buffer.subarray(0, Math.min(buffer.length, sizeBytes - position)), start + position),
    close: () => Promise.resolve(),
  };
}

/**
 * Reads exactly this many bytes. The caller has bounded the length.
 * @param what is read, for errors: "the grain directory"
 * @throws Failure `image-truncated` (integrity)
 */
export async function readExactly(
  source: ByteSource,
  position: number,
  lengthBytes: number,
  what: string,
): Promise<Buffer> {
  if (position + lengthBytes > source.sizeBytes) throw truncated(source, position + lengthBytes, what);
  const buffer = Buffer.allocUnsafe(lengthBytes);
  for (let filled = 0; filled < lengthBytes; ) {
    const bytesRead = await source.read(buffer.subarray(filled), position + filled);
    if (bytesRead === 0) throw truncated(source, position + lengthBytes, what);
    filled += bytesRead;
  }
  return buffer;
}

/** A source from its beginning to its end, in chunks of 1 MiB. */
export async function* readChunks(source: ByteSource, signal?: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  for (let position = 0; position < source.sizeBytes; ) {
    signal?.throwIfAborted();
    const chunk = await readExactly(source, position, Math.min(2 ** 20, source.sizeBytes - position), "it");
    yield chunk;
    position += chunk.length;
  }
}

function truncated({ name, sizeBytes }: ByteSource, expectedBytes: number, what: string): Failure {
  return new Failure({
    code: "image-truncated",
    kind: "integrity",
    message: `reading ${name}: ${what} reaches to byte ${expectedBytes}, the file ends at ${sizeBytes}`,
    hint: "the file is cut short or damaged: compare its size and checksum with the vendor's",
    data: { sizeBytes, expectedBytes },
  });
}
