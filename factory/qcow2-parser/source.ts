import { constants, type FileHandle, open } from "node:fs/promises";
import { Qcow2Error } from "./error.ts";

/** Where the bytes of an image come from: a file, or anything that can be read at a position. */
export interface Qcow2Source {
  readonly sizeBytes: number;
  /** Of the open file, if the source is one: worker threads read it by themselves. */
  readonly fileDescriptor?: number;
  /** Fills the buffer from the position. @returns bytes read, fewer than asked for or 0 at the end */
  read(buffer: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}

/**
 * @throws Qcow2Error `open-failed`: not there, not permitted, or not a regular file
 */
export async function openFileSource(path: string): Promise<Qcow2Source> {
  const handle = await openRegularFile(path).catch((cause: unknown) => {
    throw new Qcow2Error("open-failed", `opening ${path}: ${reasonOf(cause)}`, { cause });
  });
  const { size } = await handle.stat();
  return {
    sizeBytes: size,
    fileDescriptor: handle.fd,
    read: async (buffer, position) => (await handle.read(buffer, 0, buffer.length, position)).bytesRead,
    close: () => handle.close(),
  };
}

async function openRegularFile(path: string): Promise<FileHandle> {
  // Without O_NONBLOCK, opening a FIFO would wait for a writer that never comes.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new Error("not a regular file");
}

/**
 * Fills the whole buffer.
 * @param what names what is read in errors: "the L1 table"
 * @throws Qcow2Error `outside-file`, `read-failed`
 */
export async function fill(source: Qcow2Source, buffer: Uint8Array, position: number, what: string): Promise<void> {
  assertInside(source, position, buffer.length, what);
  let filled = 0;
  while (filled < buffer.length) {
    const bytesRead = await source.read(buffer.subarray(filled), position + filled).catch((cause: unknown) => {
      throw readFailed(what, position, cause);
    });
    if (bytesRead === 0) throw outsideFile(source.sizeBytes, position, buffer.length, what);
    filled += bytesRead;
  }
}

/** @throws Qcow2Error `outside-file` */
export function assertInside(source: Qcow2Source, position: number, length: number, what: string): void {
  if (position + length > source.sizeBytes) throw outsideFile(source.sizeBytes, position, length, what);
}

export function outsideFile(sizeBytes: number, position: number, length: number, what: string): Qcow2Error {
  return new Qcow2Error("outside-file", `${what} (byte ${position}, ${length} long) reaches past the end of the file`, {
    hint: "the file is cut short or damaged: compare its size and checksum with the vendor's",
    data: { position, length, sizeBytes },
  });
}

export function readFailed(what: string, position: number, cause: unknown): Qcow2Error {
  return new Qcow2Error("read-failed", `reading ${what} at byte ${position}: ${reasonOf(cause)}`, { cause });
}

export function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
