import { createHash } from "node:crypto";
import { type Emit, note } from "../../common/event.ts";
import { Failure } from "../../common/failure.ts";
import { readWhole } from "../read-whole.ts";
import { type RetryOptions, withRetries } from "../retry.ts";
import type { Store } from "../store.ts";
import { contentTypeOf } from "../sync/content-type.ts";
import { copyObject } from "../sync/copy-object.ts";
import { readResumed } from "../sync/read-resumed.ts";
import type { ListedFile } from "../sync/read-statement.ts";
import type { Finding } from "./finding.ts";
import type { Part } from "./read-part.ts";

export interface MenderOptions {
  from: Store;
  to: Store;
  /** Looks what could be had, and changes nothing. */
  dryRun: boolean;
  emit: Emit;
  retry: RetryOptions & { signal?: AbortSignal };
}

/**
 * Puts objects in place that another mirror has with the very content that is listed. Keys are never written twice, so
 * what lies there is removed before; and it is removed only once the other mirror's bytes were read and found whole.
 */
export class Mender {
  readonly repaired: Finding[] = [];
  readonly #options: MenderOptions;

  constructor(options: MenderOptions) {
    this.#options = options;
  }

  get dryRun(): boolean {
    return this.#options.dryRun;
  }

  /** @returns the part's bytes, in a dry run too; undefined where the other mirror does not have them */
  mendPart({ key, sha256, limitBytes }: Part, finding: Finding): Promise<Buffer | undefined> {
    return this.#attempt(finding, async () => {
      const { from, to, dryRun, retry } = this.#options;
      const bytes = await readWhole(from, key, { limitBytes, ...retry });
      expectHash(from, key, sha256, createHash("sha256").update(bytes).digest("hex"));
      if (dryRun) return bytes;
      await this.#clear(finding);
      const options = {
        ifAbsent: true,
        contentType: contentTypeOf(key),
        ...(retry.signal && { signal: retry.signal }),
      };
      await withRetries(() => to.write(key, bytes, options), retry);
      return bytes;
    });
  }

  /** @param onBytes counts bytes as they travel; negative where some travel again */
  async mendFile(file: ListedFile, finding: Finding, onBytes: (count: number) => void): Promise<boolean> {
    const mended = await this.#attempt(finding, async () => {
      const { from, to, dryRun, retry } = this.#options;
      if (dryRun || finding.problem !== "missing") await this.#expectWhole(file);
      if (dryRun) return true;
      await this.#clear(finding);
      await copyObject(from, to, file, { ...retry, onBytes });
      return true;
    });
    return mended ?? false;
  }

  async #attempt<T>(finding: Finding, work: () => Promise<T>): Promise<T | undefined> {
    const { from, emit } = this.#options;
    try {
      const result = await work();
      this.repaired.push(finding);
      return result;
    } catch (error) {
      // Who may not write, or was interrupted, need not try the next one.
      const goesOn = error instanceof Failure && error.kind !== "configuration" && error.kind !== "interrupted";
      if (!goesOn) throw error;
      note(emit, `${finding.key} can't be repaired from ${from.url}: ${error.message}`);
      return undefined;
    }
  }

  async #expectWhole({ key, sizeBytes, sha256 }: ListedFile): Promise<void> {
    const { from, retry } = this.#options;
    const found = await withRetries(() => from.stat(key, retry.signal), retry);
    if (found?.sizeBytes !== sizeBytes) throw notThere(from, key, sizeBytes, found?.sizeBytes);
    const hash = createHash("sha256");
    for await (const chunk of readResumed(from, key, { ...retry, sizeBytes, etag: found.etag })) hash.update(chunk);
    expectHash(from, key, sha256, hash.digest("hex"));
  }

  async #clear({ key, problem }: Finding): Promise<void> {
    if (problem === "missing") return;
    const { to, emit, retry } = this.#options;
    note(emit, `removing the damaged ${key}, to put ${this.#options.from.url}'s in its place`);
    await withRetries(() => to.remove(key, retry.signal), retry);
  }
}

function notThere({ url }: Store, key: string, expected: number, found: number | undefined): Failure {
  return new Failure({
    code: "file-size-mismatch",
    kind: "integrity",
    message: `reading ${url}/${key}: ${found === undefined ? "it is missing" : `it has ${found} bytes, not ${expected}`}`,
  });
}

function expectHash({ url }: Store, key: string, expected: string, found: string): void {
  if (found === expected) return;
  throw new Failure({
    code: "file-hash-mismatch",
    kind: "integrity",
    message: `reading ${url}/${key}: its SHA-256 is ${found}, not ${expected}`,
  });
}
