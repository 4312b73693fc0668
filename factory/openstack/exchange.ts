import type { z } from "zod";
import { Failure, type FailureKind } from "../../common/failure.ts";
import { parseJson } from "../../common/parse-json.ts";

export interface ExchangeOptions<Body> {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  headers?: Record<string, string>;
  /** The request's body, as JSON. */
  json?: unknown;
  /** The request's body, as bytes. */
  stream?: ReadableStream<Uint8Array>;
  /** Bytes are moved, which takes as long as it takes; undici itself ends a transfer that stands still. */
  isTransfer?: boolean;
  /** Status codes that are answers. */
  expect: readonly number[];
  /** What the answer's JSON is. */
  schema: z.ZodType<Body>;
  signal?: AbortSignal;
}

/** Of an answer in JSON. */
const bodyLimitBytes = 8 * 2 ** 20;
const timeoutMs = 60_000;

/**
 * One request to a service of the cloud, whose answer is JSON. Redirects are not followed: tokens are in the requests.
 * @param doing what the request is for, in the words of a failure's message
 * @throws Failure `cloud-unreachable`, `cloud-failed` and `cloud-quota` (retry), `cloud-refused` (configuration),
 *   `cloud-answer` (failed), `interrupted`
 */
export async function exchange<Body>(
  doing: string,
  url: string,
  options: ExchangeOptions<Body>,
): Promise<{ response: Response; body: Body }> {
  const response = await request(doing, url, options);
  const text = await readText(response, doing);
  const parsed = options.schema.safeParse(parseJson(text));
  if (parsed.success) return { response, body: parsed.data };
  const paths = parsed.error.issues.map(({ path }) => path.join(".") || "the whole");
  throw answerFailure(doing, `its answer is not as documented: ${paths.slice(0, 5).join(", ")}`);
}

/** One request whose answer is not read here. @throws Failure as `exchange` does */
export async function request(
  doing: string,
  url: string,
  {
    method = "GET",
    headers = {},
    json,
    stream,
    isTransfer = false,
    expect,
    signal,
  }: Omit<ExchangeOptions<unknown>, "schema">,
): Promise<Response> {
  const limits = [...(isTransfer ? [] : [AbortSignal.timeout(timeoutMs)]), ...(signal ? [signal] : [])];
  const body = stream ?? (json === undefined ? undefined : JSON.stringify(json));
  const typed = json === undefined ? {} : { "content-type": "application/json" };
  const init: RequestInit & { duplex?: "half" } = {
    method,
    headers: { accept: "application/json", ...typed, ...headers },
    redirect: "manual",
    signal: AbortSignal.any(limits),
    ...(body === undefined ? {} : { body }),
    ...(stream && { duplex: "half" }),
  };
  const response = await fetch(url, init).catch((error: unknown) => {
    throw unreachable(doing, url, error, signal);
  });
  if (expect.includes(response.status)) return response;
  const reason = shorten(await readText(response, doing).catch(() => ""));
  const [code, kind, hint] = classify(response.status);
  throw new Failure({
    code,
    kind,
    message: `${doing}: ${method} ${withoutQuery(url)} answered ${response.status}${reason && `: ${reason}`}`,
    hint,
    data: { status: response.status },
  });
}

function classify(status: number): [string, FailureKind, string] {
  if (status === 401 || status === 403)
    return ["cloud-refused", "configuration", "check the credentials and their roles"];
  if (status === 413 || status === 429)
    return ["cloud-quota", "retry", "the cloud's limits are reached: wait, or raise them"];
  if (status >= 500) return ["cloud-failed", "retry", "the cloud has a fault: try again later"];
  return ["cloud-answer", "failed", "the cloud did not accept it; its answer is above"];
}

export function unreachable(doing: string, url: string, error: unknown, signal?: AbortSignal): Failure {
  if (error instanceof Failure) return error;
  if (signal?.aborted) {
    return new Failure({ code: "interrupted", kind: "interrupted", message: `${doing}: interrupted`, cause: error });
  }
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new Failure({
    code: "cloud-unreachable",
    kind: "retry",
    message: `${doing}: ${new URL(url).origin} cannot be reached: ${shorten(reason)}`,
    hint: "check the network and the cloud's URLs",
    cause: error,
  });
}

export function answerFailure(doing: string, problem: string): Failure {
  return new Failure({
    code: "cloud-answer",
    kind: "failed",
    message: `${doing}: ${problem}`,
    hint: "the cloud's service may not be the one that its catalog says",
  });
}

async function readText(response: Response, doing: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of response.body ?? []) {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > bodyLimitBytes) throw answerFailure(doing, "its answer does not end");
      chunks.push(chunk);
    }
  } catch (error) {
    throw unreachable(doing, response.url, error);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function shorten(text: string): string {
  return text.trim().replaceAll(/\s+/g, " ").slice(0, 300);
}

function withoutQuery(url: string): string {
  return url.replace(/\?.*$/, "");
}
