import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { Failure } from "../../common/failure.ts";
import { Secret } from "../../common/secret.ts";
import { unknownServer, waitEnded } from "./registry.ts";
import { type PhoneHomeReport, serverSchema } from "./report.ts";

export interface OperatorAccess {
  /** Where the service is, as `serve` gave it: `https://control.example.net/`. */
  url: string;
  operatorToken: Secret;
}

const pollSeconds = 30;

function addressOf(url: string, instanceId: string): URL {
  return new URL(`servers/${encodeURIComponent(instanceId)}`, url.endsWith("/") ? url : `${url}/`);
}

const authorization = (token: Secret) => ({ authorization: `Bearer ${token.reveal()}` });

function denied(doing: string, status: number): Failure {
  return new Failure({
    code: "phone-home-denied",
    kind: "configuration",
    message: `${doing}: the phone-home service refused (HTTP ${status})`,
    hint: "check the operator token and the instance id",
    data: { status },
  });
}

function unreachable(doing: string, url: string, cause?: unknown): Failure {
  return new Failure({
    code: "phone-home-unreachable",
    kind: "retry",
    message: `${doing}: the phone-home service at ${url} does not answer`,
    hint: "start it with `metalcast phone-home serve`",
    cause,
  });
}

/**
 * Tells a running service to expect a server.
 * @returns the one-time token for the job's `phoneHome`
 * @throws Failure `phone-home-denied` (configuration), `phone-home-unreachable` (retry)
 */
export async function expectPhoneHome({ url, operatorToken }: OperatorAccess, instanceId: string): Promise<Secret> {
  const doing = `registering ${instanceId}`;
  const response = await fetch(addressOf(url, instanceId), {
    method: "PUT",
    headers: authorization(operatorToken),
    signal: AbortSignal.timeout(30_000),
  }).catch((cause) => {
    throw unreachable(doing, url, cause);
  });
  if (response.status >= 500) throw unreachable(doing, url);
  if (!response.ok) throw denied(doing, response.status);
  return new Secret(z.object({ token: z.string() }).parse(await response.json()).token);
}

/**
 * Waits until a server has phoned home, through restarts of the service.
 * @throws Failure `phone-home-timeout` (failed), `phone-home-unknown-server`, `phone-home-denied` (configuration),
 *   `interrupted`
 */
export async function waitForPhoneHome(
  { url, operatorToken }: OperatorAccess,
  instanceId: string,
  { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal },
): Promise<PhoneHomeReport> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const ended = signal ? AbortSignal.any([timeout, signal]) : timeout;
  const address = addressOf(url, instanceId);
  address.searchParams.set("wait", String(pollSeconds));
  while (!ended.aborted) {
    const answer = await ask(address, operatorToken, ended);
    if (answer?.status === 404) throw unknownServer(instanceId);
    if (answer && answer.status >= 400 && answer.status < 500) throw denied(`waiting for ${instanceId}`, answer.status);
    if (answer?.report) return answer.report;
    // A service that answers has waited; one that does not gets a second to come back.
    if (answer?.status !== 200) await pause(1000, undefined, { signal: ended }).catch(() => undefined);
  }
  throw waitEnded(instanceId, timeoutMs, signal);
}

/** @returns undefined where there was no answer, or half of one */
async function ask(address: URL, operatorToken: Secret, signal: AbortSignal) {
  try {
    const response = await fetch(address, { headers: authorization(operatorToken), signal });
    const report = response.ok ? serverSchema.parse(await response.json()).report : undefined;
    return { status: response.status, report };
  } catch {
    return undefined;
  }
}
