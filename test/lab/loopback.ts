import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createConnection, createServer } from "node:net";
import { pipeline } from "node:stream";

/**
 * Makes services on the host's 127.0.0.1 reachable from another network namespace: a socket named PORT in a directory
 * for each. User Mode Linux has no user network as QEMU has.
 */
export async function forwardToLoopback(parent: string, ports: readonly number[]) {
  const directory = await mkdtemp(`${parent}/ports-`);
  const servers = await Promise.all(ports.map((port) => forward(`${directory}/${port}`, port)));
  return {
    directory,
    async close(): Promise<void> {
      for (const server of servers) server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function forward(path: string, port: number) {
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const service = createConnection({ host: "127.0.0.1", port, allowHalfOpen: true });
    // A connection that breaks breaks on both sides; who made it sees that.
    pipeline(client, service, () => undefined);
    pipeline(service, client, () => undefined);
  });

  server.listen(path);
  await once(server, "listening");
  return server;
}

/** A port of 127.0.0.1 on which nothing listens now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("the system gave no port");
  return address.port;
}
