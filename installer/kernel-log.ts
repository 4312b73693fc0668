import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** A record has 8 KiB at most: Documentation/ABI/testing/dev-kmsg. */
const recordBytes = 8192;

/**
 * The kernel keeps some hundred KiB of messages, and a disk that fails can fill that within a second: the first of them,
 * which say why, are fetched before they are overwritten.
 */
const fetchEveryMs = 250;
const keptLines = 20_000;

/** What the kernel has to say from the opening on. Where it lets nobody listen, that is nothing. */
export class KernelLog implements AsyncDisposable {
  readonly #file: FileHandle | undefined;
  readonly #lines: string[] = [];
  #fetching = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  private constructor(file: FileHandle | undefined) {
    this.#file = file;
  }

  static async open(): Promise<KernelLog> {
    const file = await open("/dev/kmsg", constants.O_RDONLY | constants.O_NONBLOCK).catch(() => undefined);
    const log = new KernelLog(file);
    await log.read();
    log.#lines.length = 0;
    log.#timer = setInterval(() => void log.read(), fetchEveryMs).unref();
    return log;
  }

  /** @returns the messages since the opening, the oldest first: the first 20 000 of them */
  async read(): Promise<readonly string[]> {
    this.#fetching = this.#fetching.then(() => this.#fetch());
    await this.#fetching;
    return this.#lines;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#fetching;
    await this.#file?.close();
  }

  async #fetch(): Promise<void> {
    for (let record = await this.#next(); record !== undefined; record = await this.#next()) {
      // "priority,sequence,microseconds,flags;message", then lines of properties, which begin with a space.
      // Line feeds within the message are escaped.
      const message = /^[^;]*;([^\n]*)/.exec(record)?.[1]?.split("\\x0a")[0];
      if (message && this.#lines.length < keptLines) this.#lines.push(message);
    }
  }

  /** One read is one record. EAGAIN: that was all. EPIPE: some were overwritten, and it goes on behind them. */
  async #next(): Promise<string | undefined> {
    const buffer = Buffer.alloc(recordBytes);
    try {
      const read = await this.#file?.read(buffer, 0, recordBytes, null);
      return read?.bytesRead ? buffer.toString("utf8", 0, read.bytesRead) : undefined;
    } catch (error) {
      return error instanceof Error && "code" in error && error.code === "EPIPE" ? "" : undefined;
    }
  }
}
