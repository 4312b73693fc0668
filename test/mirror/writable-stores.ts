import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { openStore } from "../../mirror/open-store.ts";
import type { Store } from "../../mirror/store.ts";
import { type CephS3, startCephS3 } from "../lab/ceph-s3.ts";
import { newMirror } from "./trust/new-mirror.ts";

export interface OpenedStore {
  store: Store;
  /** For a process of its own: its argument and its environment. */
  url: string;
  env: Record<string, string>;
}

/** Every kind of store that can be published to: a new, empty one at each call. */
export async function startWritableStores() {
  const parent = await mkdtemp(join(tmpdir(), "stores-"));
  const ceph = await startCephS3();
  const kinds: [string, () => Promise<OpenedStore>][] = [
    ["a directory", () => openDirectory(parent)],
    ["S3", () => openBucket(ceph)],
    ["a signed mirror", () => openSigned(parent)],
  ];
  const stop = async () => {
    await ceph[Symbol.asyncDispose]();
    await rm(parent, { recursive: true, force: true });
  };
  return { kinds, stop };
}

async function openDirectory(parent: string): Promise<OpenedStore> {
  const url = pathToFileURL(await mkdtemp(join(parent, "store-"))).href;
  return { store: openStore(url), url, env: {} };
}

async function openSigned(parent: string): Promise<OpenedStore> {
  const { store, url } = await openDirectory(parent);
  const { mirror, keys } = await newMirror(store, { directory: parent, images: ["debian-12"] });
  return { store: mirror, url, env: { METALCAST_KEYS: keys } };
}

async function openBucket({ endpoint, credentials, createBucket }: CephS3): Promise<OpenedStore> {
  const url = `s3://${await createBucket()}/mirror`;
  const env = {
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  };
  return { store: openStore(url, { s3: { endpoint, credentials } }), url, env };
}
