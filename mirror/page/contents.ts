import type { Arch, Manifest } from "../manifest.ts";
import type { QualifiedEntry } from "../qualification/entries.ts";

/** What there is on a mirror, as its pages and its streams tell it. */
export interface MirrorContents {
  /** Default: Metalcast mirror. */
  title?: string;
  /** Where the mirror is read from, `https://mirror.example.net/images`, where that is known. */
  url?: string;
  /** ISO 8601. */
  updatedAt: string;
  images: readonly ImageContents[];
}

export interface ImageContents {
  name: string;
  arch: Arch;
  /** Channel -> version. */
  channels: Readonly<Record<string, string>>;
  /** Newest first. */
  versions: readonly VersionContents[];
}

export interface VersionContents {
  version: string;
  manifest: Manifest;
  manifestSha256: string;
  /** On which servers it was qualified: of each hardware and profile the newest report, passed or failed. */
  qualified?: readonly QualifiedEntry[];
}

/** A file to be written to the store. */
export interface RenderedFile {
  key: string;
  contentType: string;
  bytes: Uint8Array;
}
