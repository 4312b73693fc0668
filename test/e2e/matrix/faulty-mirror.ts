import { createServer, type RequestListener } from "node:http";
import { serveDirectory } from "../../mirror/serve-directory.ts";

/** Answers a request for a range of an archive, `end` its last byte; the honest answer is `serve`. */
type Misdeed = (serve: () => void, request: Request & { end: number }) => void;

interface Request {
  request: Parameters<RequestListener>[0];
  response: Parameters<RequestListener>[1];
}

/** How long a mirror that dies stays away. */
const awayMs = 5000;

/**
 * A server on 127.0.0.1 with several mirrors of the same directory, at `/NAME`, each of which does wrong in its own way
 * when it is asked for an archive; `/honest` does not.
 */
export async function startFaultyMirror(directory: string) {
  const honest = serveDirectory(directory);
  const misdeeds = makeMisdeeds({ die: () => die(), start: () => void start() });
  const server = createServer((request, response) => {
    const [, name = "", path = ""] = /^\/([^/]+)(\/.*)$/.exec(request.url ?? "") ?? [];
    request.url = path;
    const serve = () => honest(request, response);
    const end = /^bytes=\d+-(\d+)$/.exec(request.headers.range ?? "")?.[1];
    const misdeed = path.endsWith(".tar.zst") && end !== undefined ? misdeeds[name] : undefined;
    if (misdeed) misdeed(serve, { request, response, end: Number(end) });
    else serve();
  });
  // Of connections that are broken off, those here are enough.
  server.keepAliveTimeout = 10 * 60_000;
  let port = 0;
  async function start(): Promise<void> {
    const listening = Promise.withResolvers<void>();
    server.listen(port, "127.0.0.1", listening.resolve);
    await listening.promise;
    const address = server.address();
    port = typeof address === "object" && address ? address.port : 0;
  }
  async function die(): Promise<void> {
    const closed = Promise.withResolvers<void>();
    server.close(() => closed.resolve());
    server.closeAllConnections();
    await closed.promise;
  }
  await start();
  return { port, [Symbol.asyncDispose]: die };
}

function makeMisdeeds({ die, start }: { die: () => Promise<void>; start: () => void }): Record<string, Misdeed> {
  const resets = new Map<number, number>();
  let hasStalled = false;
  let hasChanged = false;
  let hasDied = false;
  return {
    // Three times for each shard, at random places.
    resets(serve, { request, response, end }) {
      const count = (resets.get(end) ?? 0) + 1;
      resets.set(end, count);
      if (count <= 3) sendPart({ request, response }, Math.random(), () => request.socket.resetAndDestroy());
      serve();
    },
    stalls(serve, asked) {
      if (!hasStalled) sendPart(asked, 0.5, () => {});
      hasStalled = true;
      serve();
    },
    // The first answer is the old object's, as far as it goes; from then on there is another one.
    replaced(serve, asked) {
      if (hasChanged) return void asked.response.writeHead(412).end();
      hasChanged = true;
      sendPart(asked, 0.5, () => asked.request.socket.destroy());
      return serve();
    },
    // A server that knows no conditions, and other bytes.
    swapped(_serve, { request, response, end }) {
      const start = Number(/^bytes=(\d+)/.exec(request.headers.range ?? "")?.[1]);
      const length = end + 1 - start;
      response.writeHead(206, { "content-range": `bytes ${start}-${end}/${end + 1}`, "content-length": length });
      response.end(Buffer.alloc(length, "other bytes"));
    },
    endless(_serve, { request, response, end }) {
      const start = Number(/^bytes=(\d+)/.exec(request.headers.range ?? "")?.[1]);
      response.writeHead(206, { "content-range": `bytes ${start}-${end}/${end + 1}` });
      const pour = () => {
        while (!response.destroyed && response.write(Buffer.alloc(2 ** 16)));
        response.once("drain", pour);
      };
      pour();
    },
    dies(serve, asked) {
      if (!hasDied) {
        sendPart(asked, 0.5, async () => {
          await die();
          setTimeout(start, awayMs);
        });
      }
      hasDied = true;
      serve();
    },
  };
}

/** Lets the honest answer come as far as a part of it, then does what comes then, and nothing more is sent. */
function sendPart({ request, response }: Request, part: number, then: () => void): void {
  const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
  let left = Math.max(1, Math.floor((Number(end) + 1 - Number(start)) * part));
  const write = response.write.bind(response);
  response.write = (chunk: Uint8Array) => {
    const sent = chunk.subarray(0, left);
    left -= sent.length;
    if (left > 0) return write(sent);
    write(sent, then);
    // Whoever feeds it waits until there is room again, which there never is.
    response.write = () => false;
    return false;
  };
}
