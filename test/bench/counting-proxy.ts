import { once } from "node:events";
import { Agent, createServer, request } from "node:http";
import type { Traffic } from "./measure.ts";

export interface CountingProxy extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  url: string;
  /** What has passed since it was asked the last time. */
  take(): Traffic;
}

/**
 * Stands in front of a server and counts the requests, and the bytes of bodies both ways. All else, the name of the host
 * included, passes as it is, since requests are signed.
 */
export async function startCountingProxy(endpoint: string): Promise<CountingProxy> {
  const { hostname, port } = new URL(endpoint);
  const agent = new Agent({ keepAlive: true });
  let traffic: Traffic = { requests: 0, bytes: 0 };
  const server = createServer((incoming, answer) => {
    traffic.requests += 1;
    // A client that waits for leave to send its body has got it from here.
    const { expect: _, ...headers } = incoming.headers;
    const { method, url: path } = incoming;
    const outgoing = request({ hostname, port, agent, method, path, headers }, (found) => {
      answer.writeHead(found.statusCode ?? 502, found.rawHeaders);
      found.on("data", (chunk: Buffer) => {
        traffic.bytes += chunk.length;
      });
      found.pipe(answer);
    });
    outgoing.on("error", () => answer.destroy());
    answer.on("close", () => outgoing.destroy());
    incoming.on("data", (chunk: Buffer) => {
      traffic.bytes += chunk.length;
    });
    incoming.pipe(outgoing);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the proxy has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    take() {
      const taken = traffic;
      traffic = { requests: 0, bytes: 0 };
      return taken;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      agent.destroy();
    },
  };
}
