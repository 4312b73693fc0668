import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Emit, note } from "../common/event.ts";
import { Failure } from "../common/failure.ts";
import { withLock } from "../common/file-lock.ts";
import type { Store } from "../mirror/store.ts";
import type { Expiry } from "../mirror/trust/refresh.ts";
import { build } from "./build.ts";
import { digestTemplate } from "./customize-template.ts";
import { findVendorChecksum } from "./fetch.ts";
import type { BootTest } from "./nightly/boot-test.ts";
import { createLimiter } from "./nightly/limiter.ts";
import type { Builders, BuildSettings, Night, NightlyImage } from "./nightly/night.ts";
import { countBuilds, type Limits, measureRoom } from "./nightly/room.ts";
import { runImage } from "./nightly/run-image.ts";
import type { NightlySummary } from "./nightly/summary.ts";

export interface NightlyOptions extends Partial<Limits> {
  /** Where images are published; what is published there decides what has to be built. */
  store: Store;
  /** Signs the mirror's state anew, before it is read: see refreshMirror of `metalcast/mirror`. */
  refresh?: () => Promise<readonly Expiry[]>;
  images: readonly NightlyImage[];
  /** Folder to work in, on a disk with room. Two nightlies in the same one exclude each other. */
  work: string;
  /** Folder of one log for each image, from its last night. Default: `logs` in `work`. */
  logs?: string;
  /** How each build is made: `cache`, `template`, ... */
  buildSettings?: BuildSettings;
  /** From this age on an image is built again, for its packages' updates. Default: never for its age. */
  maxAgeMs?: number;
  /** How long one build may take; one that takes longer is ended, and has failed. Default: 4 hours. */
  buildTimeoutMs?: number;
  /** Build all images, changed or not. */
  force?: boolean;
  /** Says what would be built, and why. Changes nothing, locks nothing. */
  dryRun?: boolean;
  /** Only what passes it becomes `stable`. */
  bootTest?: BootTest | undefined;
  /** `untested`: without a boot test, what was built becomes `stable` at once. Default: it stays in `candidate`. */
  promote?: "tested" | "untested";
  /** Servers on which a version has to have passed before `stable` names it: see PromoteOptions. Default: none. */
  requireQualified?: readonly string[];
  /** Newest versions of each image that stay, besides those that a channel names. Default: 5. */
  keep?: number;
  /** How long a version's files stay after it left the list. Default: 2 days. */
  graceMs?: number;
  /** In place of the factory's own. */
  builders?: Partial<Builders>;
  now?: () => Date;
  emit: Emit;
  /** Running builds end, nothing more is begun, and the summary says how far it went. */
  signal?: AbortSignal;
}

/**
 * Builds what has changed, publishes it as candidate, boots it, and only then lets `stable` name it; then prunes. The
 * images do not depend on each other: what goes wrong with one is in its report.
 * @throws Failure `nightly-running` (retry), `room-missing` (configuration); `programs-missing` (configuration)
 */
export async function nightly(options: NightlyOptions): Promise<NightlySummary> {
  const work = resolve(options.work);
  if (options.dryRun) return runNight(options, work, 1);
  // Below it lies only what nightlies make: a killed one's leftovers are removed by the next.
  const builds = join(work, "builds");
  await mkdir(work, { recursive: true });
  const night = async () => {
    await rm(builds, { recursive: true, force: true });
    await mkdir(builds);
    const { parallel = 2, diskPerBuildBytes = 12 * 2 ** 30, memoryPerBuildBytes = 2 ** 30 } = options;
    const limits = { parallel, diskPerBuildBytes, memoryPerBuildBytes };
    const fitting = countBuilds(limits, await measureRoom(builds));
    if (fitting < parallel) note(options.emit, `there is room for ${fitting} builds at a time, not ${parallel}`);
    return runNight(options, work, fitting);
  };
  return withLock(join(work, "lock"), night, { ifHeld: () => alreadyRunning(work) });
}

async function runNight(options: NightlyOptions, work: string, parallel: number): Promise<NightlySummary> {
  const { store, images, buildSettings = {}, signal = new AbortController().signal, now = () => new Date() } = options;
  const startedAt = performance.now();
  const started = now();
  const night: Night = {
    store,
    builds: join(work, "builds"),
    logs: resolve(options.logs ?? join(work, "logs")),
    buildSettings,
    builders: { build, findChecksum, ...options.builders },
    templateSha256: await digestTemplate(buildSettings.template),
    now,
    maxAgeMs: options.maxAgeMs,
    buildTimeoutMs: options.buildTimeoutMs ?? 4 * 3_600_000,
    force: options.force ?? false,
    dryRun: options.dryRun ?? false,
    bootTest: options.bootTest,
    promote: options.promote ?? "tested",
    requireQualified: options.requireQualified ?? [],
    keep: options.keep ?? 5,
    graceMs: options.graceMs ?? 2 * 86_400_000,
    inCheck: createLimiter(4),
    inBuild: createLimiter(parallel),
    inBootTest: createLimiter(1),
    emit: options.emit,
    signal,
  };
  if (!night.dryRun) {
    await mkdir(night.logs, { recursive: true });
    for (const expiry of (await options.refresh?.()) ?? []) warnOf(expiry, options.emit);
  }
  const reports = await Promise.all(images.map((image) => runImage(night, image)));
  const failed = reports.some(({ outcome }) => outcome === "failed");
  return {
    formatVersion: 1,
    store: store.url,
    startedAt: started.toISOString(),
    durationMs: Math.round(performance.now() - startedAt),
    outcome: signal.aborted ? "interrupted" : failed ? "failed" : "ok",
    images: reports,
  };
}

function warnOf({ role, expires, isDue }: Expiry, emit: Emit): void {
  if (isDue) note(emit, `what ${role} has signed expires on ${expires.toISOString().slice(0, 10)}: rotate its keys`);
}

async function findChecksum(...[image, options]: Parameters<Builders["findChecksum"]>): Promise<string> {
  const { checksum } = await findVendorChecksum(image, options);
  return checksum;
}

function alreadyRunning(work: string): Failure {
  return new Failure({
    code: "nightly-running",
    kind: "retry",
    message: `starting the nightly in ${work}: another one is running there`,
    hint: "wait for its end, or give this one a `work` folder of its own",
  });
}
