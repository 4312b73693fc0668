import { realpath, stat } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type Emit, note } from "../../common/event.ts";
import { Failure } from "../../common/failure.ts";
import { formatDuration } from "../../common/units.ts";
import { answer, say } from "./answer.ts";

/** Of a connection on which nothing moves. An installer that is busy unpacking leaves its own alone for a while. */
const idleLimitMs = 5 * 60_000;

export interface ServeOptions {
  /** Default: 127.0.0.1. */
  host?: string;
  /** Default: 8080. 0 takes any that is free. */
  port?: number;
  /** PEM: the certificate with its chain, and its key. Without them, plain HTTP. */
  tls?: { cert: string; key: string };
  /** Hears of every request when it has ended. */
  emit?: Emit;
}

export interface ServedMirror {
  /** With its slash: `http://127.0.0.1:8080/`. */
  url: string;
  /** Ends every connection, whatever is under way: who reads a mirror goes on where it was cut. */
  close(): Promise<void>;
}

/**
 * Serves a directory store for reading over HTTP/1.1: its objects, and the index pages of directories that have one.
 * @throws Failure `store-missing`, `mirror-not-listening`, `certificate-invalid` (configuration)
 */
export async function serveMirror(directory: string, options: ServeOptions = {}): Promise<ServedMirror> {
  const { host = "127.0.0.1", port = 8080, tls, emit = () => {} } = options;
  const root = await findRoot(directory);
  const server = createFor(tls, (request, response) => {
    const startedAt = performance.now();
    const { method, url = "" } = request;
    const from = request.socket.remoteAddress;
    response.on("close", () => {
      const bytes = response.getHeader("content-length") ?? 0;
      const outcome = response.writableFinished ? `${response.statusCode} ${bytes} B` : "broken off";
      const took = formatDuration(performance.now() - startedAt);
      note(emit, `${from} ${method} ${url.slice(0, 500)} ${outcome} in ${took}`);
    });
    answer(root, request, response).catch((error: unknown) => {
      if (isClientGone(error)) return;
      note(emit, `answering ${url.slice(0, 500)}: ${error instanceof Error ? error.message : String(error)}`);
      if (response.headersSent) response.destroy();
      else say(response, 500);
    });
  });
  server.setTimeout(idleLimitMs);
  const address = await listen(server, host, port);
  const name = host.includes(":") ? `[${host}]` : host;
  return {
    url: `${tls ? "https" : "http"}://${name}:${address.port}/`,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

/** The line of the request says so already. */
function isClientGone(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return ["ERR_STREAM_PREMATURE_CLOSE", "ECONNRESET", "EPIPE"].includes(code);
}

async function findRoot(directory: string): Promise<string> {
  const root = await realpath(directory).catch(() => undefined);
  if (root !== undefined && (await stat(root)).isDirectory()) return root;
  throw new Failure({
    code: "store-missing",
    kind: "configuration",
    message: `serving ${directory}: there is no such directory`,
    hint: "name the directory of a mirror, such as /srv/mirror",
  });
}

function createFor(tls: ServeOptions["tls"], listener: RequestListener): Server {
  if (!tls) return createServer(listener);
  try {
    return createSecureServer(tls, listener);
  } catch (cause) {
    throw new Failure({
      code: "certificate-invalid",
      kind: "configuration",
      message: `reading the certificate and its key: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: "give PEM files that belong together, the certificate with its chain",
      cause,
    });
  }
}

function listen(server: Server, host: string, port: number): Promise<AddressInfo> {
  const { promise, resolve, reject } = Promise.withResolvers<AddressInfo>();
  server.on("error", (cause) =>
    reject(
      new Failure({
        code: "mirror-not-listening",
        kind: "configuration",
        message: `serving on ${host}:${port}: ${cause.message}`,
        hint: "choose another --host or --port",
        cause,
      }),
    ),
  );
  server.listen(port, host, () => {
    const address = server.address();
    if (typeof address === "object" && address) resolve(address);
  });
  return promise;
}
