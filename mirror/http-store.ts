import { type IncomingMessage, request as requestPlain } from "node:http";
import { request as requestSecure } from "node:https";
import { asFailure, Failure } from "../common/failure.ts";
import { downloadCut, exactBytes, expectRange } from "./exact-bytes.ts";
import { checkKey } from "./key.ts";
import { parseRetryAfter } from "./retry-after.ts";
import type { ReadOptions, Store, StoredObject } from "./store.ts";
import { withoutTrickle } from "./trickle.ts";

interface Init {
  method?: "GET" | "HEAD";
  headers?: Record<string, string>;
}

/** What any web server serves of a directory store or a bucket. Read-only, and without listing. */
export class HttpStore implements Store {
  readonly url: string;
  readonly #stallMs: number;

  /**
   * @param stallMs nothing coming for so long, or next to nothing, breaks the connection off, so that the read can be
   *   tried again
   */
  constructor(url: URL, stallMs = 20_000) {
    this.url = url.href.replace(/\/+$/, "");
    this.#stallMs = stallMs;
  }

  async stat(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    const doing = `looking up ${this.#at(key)}`;
    const answer = await this.#ask(key, doing, { method: "HEAD" }, signal);
    answer.resume();
    if (answer.statusCode === 404) return undefined;
    expectStatus(answer, 200, doing);
    return { key, sizeBytes: contentLength(answer, doing), etag: answer.headers.etag ?? "" };
  }

  async *read(key: string, { range, ifMatch, signal }: ReadOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    const doing = `reading ${this.#at(key)}`;
    const headers = {
      ...(ifMatch ? { "if-match": ifMatch } : {}),
      ...(range ? { range: `bytes=${range.start}-${range.end - 1}` } : {}),
    };
    const answer = await this.#ask(key, doing, { headers }, signal);
    try {
      expectStatus(answer, range && answer.statusCode !== 200 ? 206 : 200, doing);
      const sizeBytes = range ? range.end - range.start : contentLength(answer, doing);
      if (range) expectRange(answer.headers["content-range"], range, doing);
      yield* exactBytes(withoutTrickle(answer, this.#stallMs), { sizeBytes, doing });
    } catch (error) {
      answer.destroy();
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

  /** By node:http, which takes less of the processor than fetch and its streams. */
  #ask(key: string, doing: string, init: Init, signal?: AbortSignal): Promise<IncomingMessage> {
    const url = new URL(this.#at(key));
    const open = url.protocol === "https:" ? requestSecure : requestPlain;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = open(url, { ...init, timeout: this.#stallMs, ...(signal && { signal }) });
    let answer: IncomingMessage | undefined;
    request.on("response", (response) => {
      answer = response;
      resolve(response);
    });
    request.on("timeout", () => {
      // A connection is idle, too, while the reader has yet to take what came.
      if (answer?.readableLength) return;
      // By the answer, where there is one: its reader would learn of the request's end alone that it was aborted.
      (answer ?? request).destroy(new Error(`nothing came for ${this.#stallMs / 1000} s`));
    });
    request.on("error", (error) =>
      reject(signal?.aborted ? asFailure(signal.reason, doing) : unreachable(doing, url.origin, error)),
    );
    request.end();
    return promise;
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

/** Without it, nobody could tell a whole object from one that was cut, nor from one without an end. */
function contentLength({ headers }: IncomingMessage, doing: string): number {
  const length = headers["content-length"];
  if (length !== undefined && /^\d+$/.test(length)) return Number(length);
  throw new Failure({
    code: "length-unknown",
    kind: "integrity",
    message: `${doing}: the server does not say how long the object is`,
    hint: "serve the mirror's files as they are: neither compressed nor made up on the way",
  });
}

function expectStatus({ statusCode: status = 0, headers }: IncomingMessage, expected: number, doing: string): void {
  if (status === expected) return;
  if (status >= 300 && status < 400) {
    throw new Failure({
      code: "store-moved",
      kind: "configuration",
      message: `${doing}: the server redirects to ${headers.location ?? "another place"}`,
      hint: "give the URL that it leads to",
    });
  }
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
      hint: "have the server let this machine read all files of the mirror",
    });
  }
  if (status === 429 || status >= 500) {
    const retryAfterMs = parseRetryAfter(headers["retry-after"]);
    throw unreachable(doing, "the server", new Error(`it answers ${status}`), retryAfterMs);
  }
  throw new Failure({ code: "store-error", kind: "failed", message: `${doing}: the server answers ${status}` });
}

function unreachable(doing: string, server: string, error: unknown, retryAfterMs?: number): Failure {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return new Failure({
    code: "store-unreachable",
    kind: "retry",
    message: `${doing}: no answer of use from ${server}: ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: "check the URL and the network, then run it again",
    ...(retryAfterMs !== undefined && { data: { retryAfterMs } }),
    cause: error,
  });
}
