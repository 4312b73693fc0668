import { Failure } from "../common/failure.ts";
import { requestFailure, retryAfterMs, statusFailure } from "./download-failure.ts";
import { EagerReader } from "./eager-reader.ts";

/** A file on a web server, from some byte on. Whoever has had enough of it disposes of it. */
export interface RemoteFile extends AsyncDisposable {
  /** Of the first byte that `body` gives: 0 where the server would not, or could not, go on from `from`. */
  offset: number;
  /** Of the whole file. */
  totalBytes: number | undefined;
  /** Its strong entity tag, which says whether it is still the same file. */
  etag: string | undefined;
  body: AsyncIterable<Uint8Array>;
}

type Description = Pick<RemoteFile, "offset" | "totalBytes" | "etag">;

export interface RequestOptions {
  /** Go on from this byte if the file still has this strong entity tag. */
  resume?: { from: number; etag: string } | undefined;
  /** No answer, or no byte, for so long is a failure. */
  stallMs: number;
  signal: AbortSignal;
}

const maximumRedirects = 8;

/**
 * Asks for a file by GET. Follows a few redirects, none of which leads from https to http.
 * @throws Failure, also while `body` is read: `download-failed` (retry), `download-refused` (configuration) for what
 *   the server will not give, `redirect-refused` (integrity)
 */
export async function requestFile(url: string, options: RequestOptions): Promise<RemoteFile> {
  const { resume, stallMs } = options;
  const headers: Record<string, string> = {
    "user-agent": "metalcast",
    // A checksum is of the file's own bytes, and a range, too.
    "accept-encoding": "identity",
    ...(resume && { range: `bytes=${resume.from}-`, "if-range": resume.etag }),
  };
  const watch = new AbortController();
  const signal = AbortSignal.any([options.signal, watch.signal]);
  const inTime = <T>(work: Promise<T>) => withinMs(stallMs, work, () => watch.abort(), url);

  const response = await follow(url, (target) =>
    inTime(fetch(target, { headers, redirect: "manual", signal })).catch((error: unknown) => {
      throw requestFailure(url, error);
    }),
  );
  if (response.status === 416 && resume) {
    await response.body?.cancel().catch(() => {});
    return requestFile(url, { ...options, resume: undefined });
  }
  try {
    const description = describe(url, response, resume?.from ?? 0);
    const body = openBody(url, response, inTime);
    return { ...description, body, [Symbol.asyncDispose]: () => body[Symbol.asyncDispose]() };
  } catch (error) {
    await response.body?.cancel().catch(() => {});
    throw error;
  }
}

/** @see RFC 9110 section 15.4 */
async function follow(url: string, get: (target: string) => Promise<Response>): Promise<Response> {
  let target = url;
  for (let redirects = 0; redirects <= maximumRedirects; redirects += 1) {
    const response = await get(target);
    const location = response.headers.get("location");
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
    await response.body?.cancel().catch(() => {});
    if (!URL.canParse(location, target)) throw redirectRefused(url, `to "${location}", which is no URL`);
    const next = new URL(location, target);
    if (next.protocol !== "https:" && next.protocol !== new URL(target).protocol) {
      throw redirectRefused(url, `from ${new URL(target).protocol}// to ${next.href}`);
    }
    target = next.href;
  }
  throw redirectRefused(url, `more than ${maximumRedirects} times`);
}

function redirectRefused(url: string, where: string): Failure {
  return new Failure({
    code: "redirect-refused",
    kind: "integrity",
    message: `downloading ${url}: the server redirects ${where}`,
    hint: "look at the URL in the catalog",
    data: { url },
  });
}

/** @see RFC 9110 sections 14.4 (Content-Range) and 15.3.7 (206) */
function describe(url: string, response: Response, from: number): Description {
  const { status, headers } = response;
  const encoding = headers.get("content-encoding") ?? "identity";
  if (status !== 200 && status !== 206) throw statusFailure(url, status, retryAfterMs(headers.get("retry-after")));
  if (encoding !== "identity") {
    throw requestFailure(url, new Error(`the server sends the file encoded as ${encoding}, which was not asked for`));
  }
  const etag = headers.get("etag") ?? "";
  const strong = etag.startsWith('"') ? etag : undefined;
  if (status === 200) {
    const length = headers.get("content-length");
    return { offset: 0, totalBytes: length === null ? undefined : Number(length), etag: strong };
  }
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers.get("content-range") ?? "");
  if (range === null || from === 0 || Number(range[1]) !== from) {
    throw requestFailure(url, new Error("the server answered with another part of the file than was asked for"));
  }
  const total = range[3] === "*" ? undefined : Number(range[3]);
  return { offset: from, totalBytes: total, etag: strong };
}

function openBody(url: string, response: Response, inTime: <T>(work: Promise<T>) => Promise<T>): EagerReader {
  const reader = response.body?.getReader();
  const take = async () => {
    try {
      return reader && (await inTime(reader.read())).value;
    } catch (error) {
      throw requestFailure(url, error);
    }
  };
  return new EagerReader(take, async () => reader?.cancel());
}

async function withinMs<T>(limitMs: number, work: Promise<T>, stop: () => void, url: string): Promise<T> {
  const { promise: stalled, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(requestFailure(url, new Error(`nothing came for ${Math.round(limitMs / 1000)} s`)));
    stop();
  }, limitMs);
  try {
    return await Promise.race([work, stalled]);
  } finally {
    clearTimeout(timer);
  }
}
