import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { Server } from "node:net";

/** A web server on the loopback interface that answers as a test tells it to. */
export class WebServer implements AsyncDisposable {
  readonly requests: IncomingMessage[] = [];
  answer: RequestListener = (_, response) => response.writeHead(404).end();
  readonly #server: Server;
  readonly origin: string;

  private constructor(server: Server, origin: string) {
    this.#server = server;
    this.origin = origin;
  }

  static async start(): Promise<WebServer> {
    const server = createServer((request, response) => {
      webServer.requests.push(request);
      webServer.answer(request, response);
    });
    const webServer = new WebServer(server, `http://127.0.0.1:${await listen(server)}`);
    return webServer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await close(this.#server);
  }
}

/** @returns the port that it got */
export async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address ? address.port : 0;
}

/** Ends what is still under way, too. */
export async function close(server: Server & { closeAllConnections?: () => void }): Promise<void> {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections?.();
  await closed;
}

/** Serves a file, or the part of it that begins at `from`, but ends the connection after so many bytes. */
export function serve(
  response: ServerResponse,
  file: Buffer,
  options: { etag?: string; from?: number; cutAfter?: number } = {},
): void {
  const { etag, from = 0, cutAfter } = options;
  const headers = { "content-length": file.length - from, ...(etag && { etag }) };
  if (from === 0) response.writeHead(200, headers);
  else response.writeHead(206, { ...headers, "content-range": `bytes ${from}-${file.length - 1}/${file.length}` });
  if (cutAfter === undefined) {
    response.end(file.subarray(from));
  } else {
    response.write(file.subarray(from, from + cutAfter));
    response.socket?.end();
  }
}

/** Of the range that is asked for; 0 where none is. */
export const rangeStart = ({ headers }: IncomingMessage) =>
  Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
