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
  imageNameSchema,
  imageVersionSchema,
  type Manifest,
  manifestSchema,
  parseManifest,
  type Shard,
  sha256Schema,
} from "./manifest.ts";
export { openStore, type StoreOptions } from "./open-store.ts";
export type { ImageContents, MirrorContents, RenderedFile, VersionContents } from "./page/contents.ts";
export { renderMirrorPages } from "./page/render-pages.ts";
export { renderStreams } from "./page/streams.ts";
export { type PagesOptions, writePages } from "./page/write-pages.ts";
export { type Promoted, type PromoteOptions, promote } from "./promote.ts";
export { type PrunedVersion, type PruneOptions, prune } from "./prune.ts";
export { type Published, type PublishOptions, publish } from "./publish.ts";
export type { QualifiedEntry } from "./qualification/entries.ts";
export { type KeepReportOptions, type KeptReport, keepReport } from "./qualification/keep-report.ts";
export {
  hardwareName,
  type Limit,
  type Measurement,
  profileNameSchema,
  type QualificationReport,
  type QualifiedHost,
  type QualifiedImage,
  type QualifiedItem,
  qualificationReportSchema,
  type Series,
} from "./qualification/report.ts";
export { formatReference, type ImageReference, parseReference } from "./reference.ts";
export { type ResolvedImage, resolveImage } from "./resolve.ts";
export { type Retired, type RetireOptions, retire } from "./retire.ts";
export { type RollbackOptions, rollback } from "./rollback.ts";
export type { S3Options } from "./s3-store.ts";
export { type ServedMirror, type ServeOptions, serveMirror } from "./serve/serve-mirror.ts";
export type { ReadOptions, Store, StoredObject, WriteOptions } from "./store.ts";
export type { SyncFilter } from "./sync/select-versions.ts";
export { type SyncOptions, type SyncSummary, sync } from "./sync/sync.ts";
export { type InitOptions, initMirror } from "./trust/init.ts";
export { KeyRing, readRootFile } from "./trust/key-ring.ts";
export { type MirrorTrust, openMirror, signWith } from "./trust/open-mirror.ts";
export { type Expiry, refreshMirror } from "./trust/refresh.ts";
export { type RotateOptions, rotateKeys } from "./trust/rotate.ts";
export type { Finding, Problem } from "./verify/finding.ts";
export { type Verified, type VerifyOptions, verify } from "./verify/verify.ts";
