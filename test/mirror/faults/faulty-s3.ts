import { openStore } from "../../../mirror/open-store.ts";
import type { S3Options } from "../../../mirror/s3-store.ts";
import type { Store } from "../../../mirror/store.ts";
import { startCephS3 } from "../../lab/ceph-s3.ts";
import { type FaultProxy, startFaultProxy } from "../../lab/fault-proxy.ts";

export interface FaultyS3 extends AsyncDisposable {
  /** Of the server itself. */
  endpoint: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
  /** A new bucket, reached directly. The proxy's rule is gone. */
  open(options?: S3Options): Promise<{ url: string; store: Store; faulty: Store; proxy: FaultProxy }>;
}

/** A real S3 server, and a proxy before it that lets things go wrong. */
export async function startFaultyS3(): Promise<FaultyS3> {
  const server = await startCephS3();
  const { endpoint, credentials } = server;
  const proxy = await startFaultProxy(endpoint, credentials);
  return {
    endpoint,
    credentials,
    async open(options = {}) {
      proxy.rule = () => undefined;
      const url = `s3://${await server.createBucket()}/mirror`;
      const store = openStore(url, { s3: { endpoint, credentials } });
      const faulty = openStore(url, { s3: { endpoint: proxy.url, credentials, ...options } });
      return { url, store, faulty, proxy };
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
