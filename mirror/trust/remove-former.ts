import type { MetaFile, TargetFile } from "@tufjs/models";
import { readWhole } from "../read-whole.ts";
import type { Store } from "../store.ts";
import { parseMetadata } from "./metadata.ts";
import { metadataKey, metadataLimitBytes, parseStatementKey } from "./roles.ts";

/** The versions that are signed now. */
export interface Signatures {
  /** By file name, as in the snapshot. */
  meta: Readonly<Record<string, MetaFile>>;
  snapshotVersion: number;
}

/** Of each role: whoever began to read so many changes ago finds all that it needs. */
const keptVersions = 20;

/**
 * Removes versions of metadata that no reader needs any more, and what only they refer to. Roots stay, since readers
 * follow them one by one; so do versions that are newer than what is signed now, which a publisher may be about to sign.
 */
export async function removeFormer(
  store: Store,
  { meta, snapshotVersion }: Signatures,
  { kept = keptVersions, signal }: { kept?: number; signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const current = new Map([["snapshot", snapshotVersion]]);
  for (const [file, { version }] of Object.entries(meta)) current.set(file.replace(/\.json$/, ""), version);
  const former = await listFormer(store, current, kept, signal);

  for (const [role, versions] of former) {
    const isImage = role !== "snapshot" && role !== "targets";
    const latest = current.get(role) ?? 0;
    const staying = Array.from({ length: kept + 1 }, (_, index) => latest - index).filter((version) => version > 0);
    const needed = new Set(isImage ? await listStatements(store, role, staying, signal) : []);
    const going = isImage ? await listStatements(store, role, versions, signal) : [];
    for (const version of versions) await store.remove(metadataKey(role, version), signal);
    for (const key of going) if (!needed.has(key)) await store.remove(key, signal);
  }
}

async function listFormer(
  store: Store,
  current: ReadonlyMap<string, number>,
  kept: number,
  signal?: AbortSignal,
): Promise<Map<string, number[]>> {
  const former = new Map<string, number[]>();
  for await (const { key } of store.list("metadata/", signal)) {
    const [, version = "", role = ""] = /^metadata\/(\d+)\.(.+)\.json$/.exec(key) ?? [];
    const latest = current.get(role);
    if (latest === undefined || Number(version) >= latest - kept) continue;
    former.set(role, [...(former.get(role) ?? []), Number(version)]);
  }
  return former;
}

/** Where the lists lie that these versions of an image's role refer to. A version that nobody has signed has none. */
async function listStatements(
  store: Store,
  role: string,
  versions: readonly number[],
  signal?: AbortSignal,
): Promise<string[]> {
  const keys: string[] = [];
  for (const version of versions) {
    const key = metadataKey(role, version);
    if (!(await store.stat(key, signal))) continue;
    const bytes = await readWhole(store, key, { limitBytes: metadataLimitBytes, ...(signal && { signal }) });
    const { targets } = parseMetadata("targets", bytes, `${store.url}/${key}`).signed;
    for (const [path, { hashes }] of Object.entries<TargetFile>(targets)) {
      const statement = parseStatementKey(path);
      if (statement && hashes.sha256 !== undefined) keys.push(statement.keyOf(hashes.sha256));
    }
  }
  return keys;
}
