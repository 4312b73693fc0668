/**
 * `metalcast/mirror`: what a published image is, and where it lives.
 *
 *     const store = openMirror("s3://images", { root: await readRootFile("root.json") });
 *     const { manifest, prefix } = await resolveImage(store, "debian-12", { arch: "amd64" });
 *     for await (const bytes of readShard(store, `${prefix}image.tar.zst`, manifest, 0)) ...
 */
export { type ReadShardOptions, readShard } from "./frames.ts";
export { type ListedImage, listImages } from "./list-images.ts";
export {
  type Arch,
  type Frame,
  type ImageFacts,
  type Manifest,
  manifestSchema,
  parseManifest,
  type Shard,
  sha256Schema,
} from "./manifest.ts";
export { openStore, type StoreOptions } from "./open-store.ts";
export { type Promoted, type PromoteOptions, promote } from "./promote.ts";
export { type PrunedVersion, type PruneOptions, prune } from "./prune.ts";
export { type Published, type PublishOptions, publish } from "./publish.ts";
export { formatReference, type ImageReference, parseReference } from "./reference.ts";
export { type ResolvedImage, resolveImage } from "./resolve.ts";
export type { S3Options } from "./s3-store.ts";
export type { ReadOptions, Store, StoredObject, WriteOptions } from "./store.ts";
export type { SyncFilter } from "./sync/select-versions.ts";
export { type SyncOptions, type SyncSummary, sync } from "./sync/sync.ts";
export { type InitOptions, initMirror } from "./trust/init.ts";
export { KeyRing, readRootFile } from "./trust/key-ring.ts";
export { type MirrorTrust, openMirror, signWith } from "./trust/open-mirror.ts";
export { type Expiry, refreshMirror } from "./trust/refresh.ts";
export { type RotateOptions, rotateKeys } from "./trust/rotate.ts";
