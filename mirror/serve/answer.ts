import { type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse, STATUS_CODES } from "node:http";
import { pipeline } from "node:stream/promises";
import { exactBytes } from "../exact-bytes.ts";
import { cacheControlOf, contentTypeOf } from "./describe-object.ts";
import { judgeRequest } from "./judge-request.ts";
import { openObject } from "./open-object.ts";

/** Read at a time, and so about what a client that doesn't take it keeps in memory, twice. */
const chunkBytes = 2 ** 18;

/** Answers one request for what lies in a directory, as RFC 9110 has it. @param root the directory's real path */
export async function answer(root: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = "", url = "" } = request;
  if (method !== "GET" && method !== "HEAD") {
    // Closed, so that nobody has to swallow the body of what is refused.
    return say(response, 405, { allow: "GET, HEAD", connection: "close" });
  }
  const opened = await openObject(root, url);
  if ("status" in opened) {
    const { status, ...rest } = opened;
    return say(response, status, rest);
  }
  await using file = opened.file;
  const { key, etag, modifiedAt, sizeBytes } = opened;
  const verdict = judgeRequest(method, request.headers, opened);
  const headers = { etag, "last-modified": modifiedAt.toUTCString(), "cache-control": cacheControlOf(key) };
  if (!("start" in verdict)) {
    if (verdict.status === 304) begin(response, 304, headers).end();
    else say(response, verdict.status, verdict.status === 416 ? { "content-range": `bytes */${sizeBytes}` } : {});
    return;
  }
  const { status, start, end } = verdict;
  begin(response, status, {
    ...headers,
    "accept-ranges": "bytes",
    "content-type": contentTypeOf(key),
    "content-length": end - start,
    "x-content-type-options": "nosniff",
    ...(status === 206 && { "content-range": `bytes ${start}-${end - 1}/${sizeBytes}` }),
  });
  if (method === "HEAD" || start === end) {
    response.end();
    return;
  }
  const body = file.createReadStream({ start, end: end - 1, highWaterMark: chunkBytes });
  // A file that became shorter must break the connection off: its end would leave the client waiting for the rest.
  await pipeline(exactBytes(body, { sizeBytes: end - start, doing: `serving ${key}` }), response);
}

/** An answer that is no object. */
export function say(response: ServerResponse, status: number, headers: OutgoingHttpHeaders = {}): void {
  const text = `${status} ${STATUS_CODES[status]}\n`;
  begin(response, status, {
    "content-type": "text/plain; charset=utf-8",
    "content-length": text.length,
    "cache-control": "no-cache",
    ...headers,
  }).end(text);
}

/** Set one by one, so that who logs the answer can look them up. */
function begin(response: ServerResponse, status: number, headers: OutgoingHttpHeaders): ServerResponse {
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value);
  return response.writeHead(status);
}
