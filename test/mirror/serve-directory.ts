import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { pipeline } from "node:stream";
import { resolveInRoot } from "../../common/rooted-path.ts";

/** Serves the files of a directory as web servers do: HEAD and GET, one range, entity tags (RFC 9110). */
export function serveDirectory(root: string): RequestListener {
  return async (request, response) => {
    try {
      const path = await resolveInRoot(root, decodeURIComponent(request.url ?? "/"), "follow");
      const { size, mtimeMs } = await stat(path);
      const etag = `"${size.toString(16)}-${Math.round(mtimeMs * 1000).toString(16)}"`;
      if (request.headers["if-match"] !== undefined && request.headers["if-match"] !== etag) {
        response.writeHead(412).end();
        return;
      }
      const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
      const start = first === undefined ? 0 : Number(first);
      const end = last === undefined ? size - 1 : Math.min(Number(last), size - 1);
      response.setHeader("etag", etag);
      response.setHeader("content-length", end - start + 1);
      if (first !== undefined) response.setHeader("content-range", `bytes ${start}-${end}/${size}`);
      response.writeHead(first === undefined ? 200 : 206);
      if (request.method === "HEAD") response.end();
      else pipeline(createReadStream(path, { start, end, highWaterMark: 2 ** 20 }), response, () => undefined);
    } catch {
      response.writeHead(404).end();
    }
  };
}
