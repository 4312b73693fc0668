import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { answerFailure } from "./exchange.ts";
import type { CloudSession } from "./session.ts";

const serversSchema = z.looseObject({ servers: z.array(z.looseObject({ id: z.string(), name: z.string() })) });

/** How long a server may take to go, and how often it is asked for. */
const removalLimitMs = 10 * 60_000;
const pollMs = 2000;

/**
 * Compute API, "List servers".
 * @returns the identifiers of the servers of exactly this name
 */
export async function findServers(session: CloudSession, name: string): Promise<string[]> {
  // The service takes the name for a regular expression.
  const path = `/servers?${new URLSearchParams({ name: `^${name.replaceAll(".", "[.]")}$` })}`;
  const { body } = await session.exchange(`looking for the server ${name}`, "compute", path, {
    expect: [200],
    schema: serversSchema,
  });
  return body.servers.filter((server) => server.name === name).map(({ id }) => id);
}

/** Removes a server and waits until it is gone: its image and address are in use so long (Compute API, "Delete server"). */
export async function deleteServer(session: CloudSession, id: string): Promise<void> {
  const doing = `removing the server ${id}`;
  const path = `/servers/${encodeURIComponent(id)}`;
  await session.request(doing, "compute", path, { method: "DELETE", expect: [204, 404] });
  const deadline = performance.now() + removalLimitMs;
  for (;;) {
    const response = await session.request(doing, "compute", path, { expect: [200, 404] });
    await response.body?.cancel();
    if (response.status === 404) return;
    if (performance.now() > deadline) throw answerFailure(doing, "it is still there");
    await pause(pollMs);
  }
}

/** Networking API v2.0, "Delete floating IP". One that is not there is a removed one, too. */
export async function deleteFloatingIp(session: CloudSession, id: string): Promise<void> {
  const path = `/floatingips/${encodeURIComponent(id)}`;
  await session.request(`removing the floating IP ${id}`, "network", path, { method: "DELETE", expect: [204, 404] });
}
