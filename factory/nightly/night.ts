import type { Emit } from "../../common/event.ts";
import type { Store } from "../../mirror/store.ts";
import type { BuildOptions, build } from "../build.ts";
import type { CatalogImage } from "../catalog.ts";
import type { BootTest } from "./boot-test.ts";
import type { Limiter } from "./limiter.ts";

/** One image of the nightly. */
export interface NightlyImage {
  image: CatalogImage;
  /** The vendor's file on this machine and its `sha512:DIGEST`, where the vendor has no download for everybody. */
  local?: LocalSource | undefined;
}

type LocalSource = Required<Pick<BuildOptions, "source" | "checksum">> & Pick<BuildOptions, "format">;

/** The parts of the factory that a nightly calls. */
export interface Builders {
  build: typeof build;
  /** The vendor image's checksum as it is now, verified: `sha512:DIGEST`. */
  findChecksum: (image: CatalogImage, options: { signal: AbortSignal }) => Promise<string>;
}

/** How each build is made. The subscription goes to images that need one, and to no others. */
export type BuildSettings = Omit<
  BuildOptions,
  "image" | "output" | "version" | "source" | "checksum" | "format" | "emit" | "signal"
>;

/** What all images of one night share. */
export interface Night {
  store: Store;
  /** Where builds put what they make, until it is published. */
  builds: string;
  logs: string;
  buildSettings: BuildSettings;
  builders: Builders;
  templateSha256: string;
  now: () => Date;
  maxAgeMs: number | undefined;
  buildTimeoutMs: number;
  force: boolean;
  dryRun: boolean;
  bootTest: BootTest | undefined;
  promote: "tested" | "untested";
  requireQualified: readonly string[];
  keep: number;
  graceMs: number;
  inCheck: Limiter;
  inBuild: Limiter;
  /** Emulated servers beside each other only stall each other: one at a time. */
  inBootTest: Limiter;
  emit: Emit;
  signal: AbortSignal;
}

/** Where versions wait for their boot test, and for their qualification. */
export const candidateChannel = "candidate";
