import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import type { Event } from "../common/event.ts";
import { asFailure } from "../common/failure.ts";
import { resolveInRoot } from "../common/rooted-path.ts";

/** On the rescue system, and the same in the installed one. */
export const journalPath = "/var/log/metalcast/install.jsonl";

/**
 * Keeps what happened, an event a line, progress left out: on the rescue system from the first one on, and in the
 * target as soon as there is one. A journal that can't be kept is no reason to stop an installation: it ends there, and
 * that is told.
 */
export class Journal implements AsyncDisposable {
  #lines: string[] = [];
  #files = new Set<FileHandle>();
  #target: FileHandle | undefined;
  #written: Promise<void> = Promise.resolve();

  readonly #onFailure: (message: string) => void;

  private constructor(onFailure: (message: string) => void) {
    this.#onFailure = onFailure;
  }

  /**
   * @param onFailure gets what went wrong, in words
   * @param path in the rescue system; a journal that is there is continued
   */
  static async open(onFailure: (message: string) => void, path = journalPath): Promise<Journal> {
    const journal = new Journal(onFailure);
    await journal.#attempt(async () => {
      await mkdir(dirname(path), { recursive: true });
      journal.#files.add(await open(path, "a", 0o600));
    });
    return journal;
  }

  write(event: Event): void {
    if (event.kind === "step-progress") return;
    const line = `${JSON.stringify(event)}\n`;
    this.#lines.push(line);
    this.#queue(this.#files, line);
  }

  /** From now on the target has it, too, with all that happened before. */
  async followInto(target: string): Promise<void> {
    await this.#attempt(async () => {
      const path = await resolveInRoot(target, journalPath, "keep");
      await mkdir(dirname(path), { recursive: true, mode: 0o755 });
      // What the image has there is none of ours, and might be a link.
      this.#target = await open(path, "wx", 0o600);
      this.#queue([this.#target], this.#lines.join(""));
      this.#files.add(this.#target);
    });
  }

  /** Before the target is unmounted. */
  async leaveTarget(): Promise<void> {
    await this.#written;
    const file = this.#target;
    if (!file) return;
    this.#target = undefined;
    this.#files.delete(file);
    await this.#attempt(() => file.sync());
    await this.#attempt(() => file.close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leaveTarget();
    for (const file of this.#files) await this.#attempt(() => file.close());
  }

  #queue(files: Iterable<FileHandle>, text: string): void {
    const into = [...files];
    this.#written = this.#written.then(async () => {
      for (const file of into) {
        await this.#attempt(() => file.appendFile(text)).then((kept) => kept || this.#files.delete(file));
      }
    });
  }

  async #attempt(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.#onFailure(asFailure(error, "keeping the journal").message);
      return false;
    }
  }
}
