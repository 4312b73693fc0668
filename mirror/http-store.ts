import { asFailure, Failure } from "../common/failure.ts";
import { downloadCut, exactBytes, expectRange } from "./exact-bytes.ts";
import { checkKey } from "./key.ts";
import type { ReadOptions, Store, StoredObject } from "./store.ts";

interface Init {
  method?: string;
  headers?: Record<string, string>;
}

/** What any web server serves of a directory store or a bucket. Read-only, and without listing. */
export class HttpStore implements Store {
  readonly url: string;

  constructor(url: URL) {
    this.url = url.href.replace(/\/+$/, "");
  }

  async stat(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    const doing = `looking up ${this.#at(key)}`;
    const answer = await this.#ask(key, doing, { method: "HEAD" }, signal);
    if (answer.status === 404) return undefined;
    expectStatus(answer, 200, doing);
    return { key, sizeBytes: Number(answer.headers.get("content-length")), etag: answer.headers.get("etag") ?? "" };
  }

  async *read(key: string, { range, ifMatch, signal }: ReadOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    const doing = `reading ${this.#at(key)}`;
    const headers = {
      ...(ifMatch ? { "if-match": ifMatch } : {}),
      ...(range ? { range: `bytes=${range.start}-${range.end - 1}` } : {}),
    };
    const answer = await this.#ask(key, doing, { headers }, signal);
    expectStatus(answer, range && answer.status !== 200 ? 206 : 200, doing);
    const sizeBytes = range ? range.end - range.start : Number(answer.headers.get("content-length"));
    try {
      if (range) expectRange(answer.headers.get("content-range"), range, doing);
      yield* exactBytes(answer.body ?? noBytes(), { sizeBytes, doing });
    } catch (error) {
      discard(answer);
      if (error instanceof Failure) throw error;
      throw signal?.aborted ? asFailure(signal.reason, doing) : downloadCut(doing, {}, error);
    }
  }

  async write(): Promise<never> {
    throw this.#readOnly("writing to");
  }

  // biome-ignore lint/correctness/useYield: there is nothing that could be listed
  async *list(): AsyncGenerator<StoredObject, void, undefined> {
    throw this.#readOnly("listing");
  }

  async remove(): Promise<never> {
    throw this.#readOnly("removing from");
  }

  #at(key: string): string {
    checkKey(key);
    return `${this.url}/${key}`;
  }

  async #ask(key: string, doing: string, init: Init, signal?: AbortSignal): Promise<Response> {
    // Node's fetch undoes a content coding, which would make nonsense of ranges and lengths.
    const headers = { ...init.headers, "accept-encoding": "identity" };
    return fetch(this.#at(key), { ...init, headers, ...(signal ? { signal } : {}) }).catch((error: unknown) => {
      if (signal?.aborted) throw asFailure(signal.reason, doing);
      throw unreachable(doing, new URL(this.url).origin, error);
    });
  }

  #readOnly(doing: string): Failure {
    return new Failure({
      code: "store-read-only",
      kind: "configuration",
      message: `${doing} ${this.url}: a store on the web can only be read`,
      hint: "use the s3:// or file:// URL of the same mirror",
    });
  }
}

async function* noBytes(): AsyncGenerator<Uint8Array, void, undefined> {}

/** Lets go of the connection; a body that was read from has done so itself. */
function discard({ body }: Response): void {
  body?.cancel().catch(() => undefined);
}

function expectStatus(answer: Response, expected: number, doing: string): void {
  const { status } = answer;
  if (status === expected) return;
  discard(answer);
  if (status === 404) {
    throw new Failure({ code: "object-missing", kind: "failed", message: `${doing}: there is no such object` });
  }
  if (status === 412) {
    throw new Failure({ code: "object-changed", kind: "failed", message: `${doing}: the object has changed` });
  }
  if (status === 416) {
    throw new Failure({ code: "object-short", kind: "integrity", message: `${doing}: the object is too short` });
  }
  if (status === 401 || status === 403) {
    throw new Failure({
      code: "store-denied",
      kind: "configuration",
      message: `${doing}: the server answers ${status}`,
    });
  }
  if (status === 429 || status >= 500) throw unreachable(doing, "the server", new Error(`it answers ${status}`));
  throw new Failure({ code: "store-error", kind: "failed", message: `${doing}: the server answers ${status}` });
}

function unreachable(doing: string, server: string, error: unknown): Failure {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return new Failure({
    code: "store-unreachable",
    kind: "retry",
    message: `${doing}: no answer of use from ${server}: ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: "check the URL and the network, then run it again",
    cause: error,
  });
}
