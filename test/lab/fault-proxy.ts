import { request as ask, createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type BodyFaults, Cut, faultyBody } from "./faulty-body.ts";
import { s3Action } from "./s3-actions.ts";
import { signAgain } from "./sign-again.ts";

/** A request on its way to the server. */
export interface Asked {
  method: string;
  /** Without its query. */
  path: string;
  /** Of S3: `UploadPart`. */
  action: string;
  headers: Record<string, string>;
  query: URLSearchParams;
}

/** What happens to a request and to its answer. Without any of it, both pass. */
export interface Fault extends BodyFaults {
  /** In place of the server's answer; the server learns nothing of the request. */
  answer?: { status: number; code?: string; headers?: Record<string, string> };
  /** The connection is reset before the server learns of it. */
  refuse?: boolean;
  /** No answer comes, and the server learns nothing of it. */
  silence?: boolean;
  /** The server does it, but its answer is lost. */
  loseAnswer?: boolean;
  /** Told how many bytes of the request's body pass, piece by piece. */
  onSent?: (bytes: number) => void;
  /** Headers that don't reach the server. What is left is signed anew, so that it takes the request for a good one. */
  strip?: readonly string[];
  /** Headers of the answer that are others. */
  headers?: Record<string, string>;
  /** Changes a whole answer. */
  rewrite?: (body: string) => string;
  /** Before the request goes on. */
  before?: () => Promise<void>;
}

/** Asked for every request. */
export type Rule = (asked: Asked) => Fault | undefined;

export interface FaultProxy extends AsyncDisposable {
  url: string;
  /** What was asked so far. */
  asked: readonly Asked[];
  /** From now on. Default: none. */
  rule: Rule;
}

/**
 * Stands between a client and a real HTTP server, and lets things go wrong as its rule says.
 * @param target `http://127.0.0.1:PORT`
 * @param credentials of the server, for requests that are signed anew
 */
export async function startFaultProxy(
  target: string,
  credentials = { accessKeyId: "", secretAccessKey: "" },
): Promise<FaultProxy> {
  const asked: Asked[] = [];
  const proxy = { rule: (): Fault | undefined => undefined } as Pick<FaultProxy, "rule">;
  const server = createServer(async (request, response) => {
    const one = describe(request);
    asked.push(one);
    const fault = proxy.rule(one) ?? {};
    await pass({ request, response, asked: one, fault, target, credentials }).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${port}`,
    asked,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  });
}

/** So many requests that it would concern, then no more. */
export function times(count: number, rule: Rule): Rule {
  let left = count;
  return (asked) => {
    const fault = left > 0 ? rule(asked) : undefined;
    if (fault) left -= 1;
    return fault;
  };
}

interface Passing {
  request: IncomingMessage;
  response: ServerResponse;
  asked: Asked;
  fault: Fault;
  target: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
}

async function pass({ request, response, asked, fault, target, credentials }: Passing): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  await fault.before?.();
  if (fault.refuse) {
    response.destroy();
    return;
  }
  if (fault.silence) return;
  if (fault.answer) {
    // A client that is still sending would not read it.
    for await (const _ of request);
    const { status, code = "", headers = {} } = fault.answer;
    const body = request.method === "HEAD" || !code ? "" : `<Error><Code>${code}</Code></Error>`;
    response.writeHead(status, { "content-length": body.length, ...headers }).end(body);
    return;
  }
  const answer = await forward(request, asked, fault, target, credentials);
  if (fault.loseAnswer) {
    for await (const _ of answer);
    response.destroy();
    return;
  }
  await answerWith(response, answer, fault, gone.signal);
}

async function forward(
  request: IncomingMessage,
  { method, headers }: Asked,
  { strip = [], onSent }: Fault,
  target: string,
  credentials: Passing["credentials"],
): Promise<IncomingMessage> {
  const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => !strip.includes(name)));
  const url = request.url ?? "/";
  const sent = strip.length > 0 ? signAgain({ method, url, headers: kept }, credentials) : kept;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const onward = ask(new URL(url, target), { method, headers: sent }, resolve).on("error", reject);
  if (onSent) request.on("data", (chunk: Buffer) => onSent(chunk.byteLength));
  pipeline(request, onward).catch(reject);
  return promise;
}

async function answerWith(
  response: ServerResponse,
  answer: IncomingMessage,
  { headers = {}, rewrite, ...faults }: Fault,
  gone: AbortSignal,
): Promise<void> {
  const passed = { ...answer.headers };
  let body: Readable = answer;
  if (rewrite) {
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk);
    const text = Buffer.from(rewrite(Buffer.concat(chunks).toString()));
    passed["content-length"] = String(text.byteLength);
    delete passed["transfer-encoding"];
    body = Readable.from([text]);
  }
  if (faults.truncateTo !== undefined || faults.pad !== undefined) delete passed["content-length"];
  response.writeHead(answer.statusCode ?? 0, { ...passed, ...headers });
  try {
    await pipeline(Readable.from(faultyBody(body, faults, gone), { objectMode: false }), response);
  } catch (error) {
    if (error instanceof Cut) response.socket?.resetAndDestroy();
    else throw error;
  }
}

function describe(request: IncomingMessage): Asked {
  const { method = "", url = "/" } = request;
  const { pathname, searchParams } = new URL(url, "http://server");
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  return { method, path: pathname, action: s3Action(request), headers, query: searchParams };
}
