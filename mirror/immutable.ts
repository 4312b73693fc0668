import { createHash } from "node:crypto";
import type { Advance } from "../common/event.ts";
import { Failure } from "../common/failure.ts";
import { type LocalFile, readVerified } from "./local-image.ts";
import type { Store } from "./store.ts";

/**
 * Puts a file at a key where nothing else may ever be. The same content there already is as good, so that a rerun
 * converges.
 * @throws Failure `version-exists` (failed) where other content lies at the key; what readVerified and a store throw
 */
export async function putImmutable(
  store: Store,
  key: string,
  file: LocalFile,
  { advance, signal }: { advance: Advance; signal?: AbortSignal | undefined },
): Promise<void> {
  let done = 0;
  const onBytes = (count: number) => {
    done += count;
    advance(done, file.sizeBytes);
  };
  if (await isThere(store, key, file, signal)) return;
  try {
    const contentType = contentTypes[file.name] ?? "application/octet-stream";
    const options = { ifAbsent: true, contentType, sizeBytes: file.sizeBytes, ...(signal && { signal }) };
    await store.write(key, readVerified(file, onBytes), options);
  } catch (error) {
    const lostRace = error instanceof Failure && error.code === "object-exists";
    if (!lostRace || !(await isThere(store, key, file, signal))) throw error;
  }
}

const contentTypes: Record<string, string> = {
  "manifest.json": "application/json",
  "sbom.cdx.json": "application/json",
  "image.tar.zst": "application/zstd",
  SHA256SUMS: "text/plain; charset=utf-8",
};

/** Believes no entity tag: what is there is read and hashed. */
async function isThere(store: Store, key: string, file: LocalFile, signal?: AbortSignal): Promise<boolean> {
  const found = await store.stat(key, signal);
  if (!found) return false;
  const hash = createHash("sha256");
  if (found.sizeBytes === file.sizeBytes) {
    for await (const chunk of store.read(key, { ifMatch: found.etag, ...(signal ? { signal } : {}) }))
      hash.update(chunk);
    if (hash.digest("hex") === file.sha256) return true;
  }
  throw new Failure({
    code: "version-exists",
    kind: "failed",
    message: `publishing ${file.path}: other content is at ${store.url}/${key} already`,
    hint: "published versions never change: build the image under a new version",
    data: { key },
  });
}
