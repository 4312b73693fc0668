import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { Failure } from "../../common/failure.ts";
import type { ExpectedServer, PhoneHomeReport } from "./report.ts";
import { openState, type StateEntry } from "./state.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest();

/** Compares in constant time: how long it takes says nothing of how much of a token was right. */
export const sameSecret = (one: string, other: string) => timingSafeEqual(sha256(one), sha256(other));

/** What became of a report: taken, taken before from the same boot, the token already spent, or not for us. */
export type Verdict = "accepted" | "repeated" | "spent" | "refused";

/** Which servers are expected, with which one-time token, and which have reported. */
export interface Registry {
  expect(instanceId: string): Promise<string>;
  knows(token: string): boolean;
  accept(token: string, report: PhoneHomeReport): Promise<Verdict>;
  find(instanceId: string): ExpectedServer | undefined;
  waitFor(instanceId: string, options: { timeoutMs: number; signal?: AbortSignal }): Promise<PhoneHomeReport>;
}

function withoutToken({ tokenSha256: _, ...server }: StateEntry): ExpectedServer {
  return server;
}

/** Opens the registry that lies in one file. Only hashes of tokens are kept. */
export async function openRegistry(stateFile: string): Promise<Registry> {
  const state = await openState(stateFile);
  const reported = new EventTarget();

  const owner = (token: string) => {
    const hash = sha256(token);
    return state.entries().find(({ tokenSha256 }) => timingSafeEqual(Buffer.from(tokenSha256, "hex"), hash));
  };

  return {
    async expect(instanceId) {
      const token = randomBytes(32).toString("base64url");
      await state.put({
        instanceId,
        expectedAt: new Date().toISOString(),
        tokenSha256: sha256(token).toString("hex"),
      });
      return token;
    },

    knows: (token) => owner(token) !== undefined,

    async accept(token, report) {
      const server = owner(token);
      if (server?.instanceId !== report.instanceId) return "refused";
      if (server.report) return server.report.bootId === report.bootId ? "repeated" : "spent";
      await state.put({ ...server, reportedAt: new Date().toISOString(), report });
      reported.dispatchEvent(new Event(report.instanceId));
      return "accepted";
    },

    find(instanceId) {
      const entry = state.find(instanceId);
      return entry && withoutToken(entry);
    },

    waitFor: (instanceId, { timeoutMs, signal }) =>
      new Promise((resolve, reject) => {
        const timeout = AbortSignal.timeout(timeoutMs);
        const ended = signal ? AbortSignal.any([timeout, signal]) : timeout;
        const settle = () => {
          const server = state.find(instanceId);
          if (server && !server.report && !ended.aborted) return;
          reported.removeEventListener(instanceId, settle);
          ended.removeEventListener("abort", settle);
          if (server?.report) resolve(server.report);
          else reject(server ? waitEnded(instanceId, timeoutMs, signal) : unknownServer(instanceId));
        };
        reported.addEventListener(instanceId, settle);
        ended.addEventListener("abort", settle);
        settle();
      }),
  };
}

/** @returns `phone-home-timeout` (failed), or `interrupted` where the caller gave up first */
export function waitEnded(instanceId: string, timeoutMs: number, signal: AbortSignal | undefined): Failure {
  if (signal?.aborted) {
    return new Failure({ code: "interrupted", kind: "interrupted", message: `waiting for ${instanceId}: interrupted` });
  }
  return new Failure({
    code: "phone-home-timeout",
    kind: "failed",
    message: `waiting for ${instanceId}: it did not phone home within ${Math.round(timeoutMs / 1000)} s`,
    hint: "look at the server's console, and whether it can reach the phone-home address",
    data: { instanceId, timeoutMs },
  });
}

/** @returns `phone-home-unknown-server` (configuration) */
export function unknownServer(instanceId: string): Failure {
  return new Failure({
    code: "phone-home-unknown-server",
    kind: "configuration",
    message: `waiting for ${instanceId}: no such server is expected`,
    hint: `metalcast phone-home expect ${instanceId}`,
    data: { instanceId },
  });
}
