import { createHash, createHmac } from "node:crypto";

export interface SignedRequest {
  method: string;
  /** Path and query. */
  url: string;
  /** Names in lower case. */
  headers: Record<string, string>;
}

/**
 * Signs a request that was signed once already, and changed since. Source: AWS Signature Version 4, "Create a signed
 * AWS API request". The body keeps the hash that its header names.
 */
export function signAgain(
  { method, url, headers }: SignedRequest,
  { accessKeyId, secretAccessKey }: { accessKeyId: string; secretAccessKey: string },
): Record<string, string> {
  const { authorization = "", "x-amz-security-token": _, ...others } = headers;
  const [, scope = "", names = ""] = /Credential=[^/]+\/([^,]+), *SignedHeaders=([^,]+)/.exec(authorization) ?? [];
  const signed = names.split(";").filter((name) => others[name] !== undefined);
  const { pathname, searchParams } = new URL(url, "http://server");
  const query = [...searchParams]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join("&");
  const canonical = [
    method,
    pathname,
    query,
    ...signed.map((name) => `${name}:${others[name]?.trim()}`),
    "",
    signed.join(";"),
    others["x-amz-content-sha256"] ?? "UNSIGNED-PAYLOAD",
  ].join("\n");
  const text = ["AWS4-HMAC-SHA256", others["x-amz-date"], scope, hash(canonical)].join("\n");
  const key = scope.split("/").reduce<string | Buffer>((former, part) => hmac(former, part), `AWS4${secretAccessKey}`);
  const signature = hmac(key, text).toString("hex");
  const credential = `Credential=${accessKeyId}/${scope}`;
  return {
    ...others,
    authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${signed.join(";")}, Signature=${signature}`,
  };
}

const hash = (text: string) => createHash("sha256").update(text).digest("hex");
const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();

/** RFC 3986's reserved characters too. */
const encode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
