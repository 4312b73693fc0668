import { fileURLToPath } from "node:url";
import { Failure } from "../common/failure.ts";
import { DeferredStore } from "./deferred-store.ts";
import { DirectoryStore } from "./directory-store.ts";
import { HttpStore } from "./http-store.ts";
import { checkKey } from "./key.ts";
import type { S3Options } from "./s3-store.ts";
import type { Store } from "./store.ts";

export interface StoreOptions {
  /** For `s3://`, where the environment does not say it. */
  s3?: S3Options;
  /** Told once what is not as it should be, such as a server that keeps no conditions of writes. */
  onWarning?: (text: string) => void;
}

const openers: Record<string, (url: URL, options: StoreOptions) => Store> = {
  "s3:": (url, options) => openS3(url, options),
  "file:": (url) => new DirectoryStore(fileURLToPath(url)),
  "https:": (url) => new HttpStore(url),
  "http:": (url) => new HttpStore(url),
};

/**
 * Opens a store by its URL: `s3://bucket/prefix`, `file:///srv/mirror`, or read-only `https://mirror.example.net/path`.
 * Nothing is asked of the store yet.
 * @throws Failure `store-url-invalid` (configuration)
 */
export function openStore(url: string, options: StoreOptions = {}): Store {
  const parsed = URL.parse(url);
  const open = openers[parsed?.protocol ?? ""];
  if (!parsed || !open) throw invalidUrl(url, "it is none of a kind that is known");
  if (parsed.username || parsed.password) throw invalidUrl(parsed.host, "credentials have no place in it");
  if (parsed.search || parsed.hash) throw invalidUrl(url, "it ends at the path");
  if (parsed.protocol === "file:" && parsed.host) throw invalidUrl(url, "a directory is written with three slashes");
  return open(parsed, options);
}

function openS3(url: URL, { s3, onWarning }: StoreOptions): Store {
  const path = url.pathname.replace(/^\/+|\/+$/g, "");
  if (!url.host) throw invalidUrl(url.href, "the bucket is missing");
  if (path) checkKey(path);
  return new DeferredStore(`s3://${url.host}${path && `/${path}`}`, async () => {
    // The SDK takes nearly as long to load as all the rest together, and 16 MB.
    const [{ S3Store }, { readS3Environment }] = await Promise.all([
      import("./s3-store.ts"),
      import("./s3-environment.ts"),
    ]);
    const options = { ...(await readS3Environment()), ...s3, ...(onWarning && { onWarning }) };
    return new S3Store({ bucket: url.host, prefix: path && `${path}/` }, options);
  });
}

function invalidUrl(url: string, reason: string): Failure {
  return new Failure({
    code: "store-url-invalid",
    kind: "configuration",
    message: `"${url}" is not the URL of a store: ${reason}`,
    hint: "write s3://bucket/prefix, file:///srv/mirror or https://mirror.example.net",
  });
}
