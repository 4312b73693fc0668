import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Emit, note, reportOperation, reportStep, withScope } from "../../common/event.ts";
import { asFailure, Failure } from "../../common/failure.ts";
import { promote } from "../../mirror/promote.ts";
import { prune } from "../../mirror/prune.ts";
import { publish } from "../../mirror/publish.ts";
import { listUnqualified } from "../../mirror/qualification/expect-qualified.ts";
import { compareVersions, defaultChannel, formatReference } from "../../mirror/reference.ts";
import { type CheckedImage, checkImage } from "./check-image.ts";
import { ImageLog } from "./image-log.ts";
import { findNextVersion } from "./next-version.ts";
import { candidateChannel, type Night, type NightlyImage } from "./night.ts";
import type { ImageReport, Stage } from "./summary.ts";

/** The report while it is written, and where the work is. */
type Progress = ImageReport & { stage: Stage };

/**
 * One image's night: look for changes, build, publish as candidate, boot, promote to stable, prune.
 * @returns how it went; a failure is told there and in the log, not thrown
 */
export async function runImage(night: Night, subject: NightlyImage): Promise<ImageReport> {
  const { name, arch } = subject.image;
  const startedAt = performance.now();
  const log = join(night.logs, `${name}-${arch}.log`);
  const { stage: _, ...report } = await attemptImage(night, subject, {
    ...{ name, arch, log, outcome: "skipped", reasons: [], bootTest: "not-run" },
    pruned: { versions: 0, freedBytes: 0 },
    stage: "check",
    durationMs: 0,
  });
  return { ...report, durationMs: Math.round(performance.now() - startedAt) };
}

async function attemptImage(night: Night, subject: NightlyImage, progress: Progress): Promise<Progress> {
  const { emit, dryRun, signal } = night;
  const shared = withScope(emit, progress.name);
  await using log = dryRun ? undefined : new ImageLog(progress.log);
  const both: Emit = (event) => {
    log?.write(event);
    shared(event);
  };
  try {
    const operation = { operation: "nightly", subject: progress.name };
    await reportOperation(both, operation, () => spendNight(night, subject, progress, both));
  } catch (error) {
    const failure = asFailure(error, progress.stage);
    progress.outcome = signal.aborted ? "interrupted" : "failed";
    if (progress.stage === "boot-test" && !signal.aborted) progress.bootTest = "failed";
    progress.failure = { stage: progress.stage, ...tell(failure) };
    note(both, `${failure.message}${failure.hint ? `; hint: ${failure.hint}` : ""}`);
  }
  return progress;
}

async function spendNight(night: Night, subject: NightlyImage, progress: Progress, emit: Emit): Promise<void> {
  const checked = await night.inCheck(() => {
    night.signal.throwIfAborted();
    return reportStep(emit, { step: "check", title: "Look for changes" }, () => checkImage(night, subject));
  });
  const { latest, stable, reasons, due } = checked;
  Object.assign(progress, { reasons, ...(latest && { version: latest }), ...(stable && { stable }) });
  note(emit, `${due ? "to be built" : "not built"}: ${reasons.map(({ text }) => text).join(", ")}`);
  if (due) progress.outcome = "due";
  if (night.dryRun) return;
  if (due) {
    progress.stage = "build";
    await night.inBuild(async () => {
      night.signal.throwIfAborted();
      progress.version = await buildAndPublish(night, subject, { progress, checked, emit });
    });
    progress.outcome = "built";
  }
  await promoteTested(night, progress, { checked, emit });
  await pruneOld(night, progress, emit);
}

async function buildAndPublish(
  night: Night,
  { image, local }: NightlyImage,
  { progress, checked, emit }: { progress: Progress; checked: CheckedImage; emit: Emit },
): Promise<string> {
  const { store, builders, builds, buildSettings, buildTimeoutMs, now, signal } = night;
  const { channels } = checked;
  const { rhsm, ...settings } = buildSettings;
  const version = await findNextVersion(store, image, { channels, date: now(), signal });
  const output = join(builds, `${image.name}-${image.arch}-${version}`);
  try {
    const { directory } = await inTime(`building ${image.name}`, buildTimeoutMs, signal, (limited) =>
      builders.build({
        ...settings,
        ...(rhsm && image.license === "rhsm" && { rhsm }),
        ...local,
        image,
        output,
        version,
        emit,
        signal: limited,
      }),
    );
    progress.stage = "publish";
    await publish(store, directory, { channel: candidateChannel, emit, signal });
    return version;
  } finally {
    await rm(output, { recursive: true, force: true });
  }
}

/** What setTimeout can wait at most: 24 days. */
const longestMs = 2 ** 31 - 1;

/** @throws Failure `build-timeout` (failed) for work that its limit has ended */
async function inTime<Result>(
  doing: string,
  timeoutMs: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), Math.min(timeoutMs, longestMs));
  try {
    return await work(AbortSignal.any([signal, limit.signal]));
  } catch (error) {
    if (!limit.signal.aborted || signal.aborted) throw error;
    throw new Failure({
      code: "build-timeout",
      kind: "failed",
      message: `${doing}: not done in ${Math.round(timeoutMs / 1000)} s`,
      hint: "the log says how far it came; `buildTimeout` in the settings is the limit",
      data: { timeoutMs },
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** Also a version of an earlier night that has not been promoted yet, whatever the reason was then. */
async function promoteTested(
  night: Night,
  progress: Progress,
  { checked, emit }: { checked: CheckedImage; emit: Emit },
): Promise<void> {
  const { store, bootTest, inBootTest, requireQualified, signal } = night;
  const { channels, rolledBack } = checked;
  const { name, arch, version, stable } = progress;
  if (version === undefined || (stable !== undefined && compareVersions(stable, version) >= 0)) return;
  const reference = formatReference({ name, version });
  // Its boot test would pass once more: what was wrong with it was found by somebody.
  if (rolledBack !== undefined && compareVersions(rolledBack, version) >= 0) {
    note(emit, `${reference} is not promoted: ${defaultChannel} was rolled back from ${rolledBack}`);
    return;
  }
  const unqualified = listUnqualified(channels, version, requireQualified);
  const stays = unqualified.length > 0;
  if (stays) {
    progress.unqualified = unqualified;
    note(emit, `${reference} stays in ${candidateChannel}: not qualified on ${unqualified.join(", ")}`);
    // It is booted when it is new, and once more when it can be promoted.
    if (progress.outcome !== "built") return;
  }
  if (bootTest) {
    progress.stage = "boot-test";
    await inBootTest(async () => {
      signal.throwIfAborted();
      const say = (text: string) => note(emit, text);
      await reportStep(emit, { step: "boot-test", title: `Install and boot ${reference}` }, () =>
        bootTest({ store: store.url, reference, arch, say }, signal),
      );
    });
    // An aborted boot test that returns has not shown that the image boots.
    signal.throwIfAborted();
    progress.bootTest = "passed";
  } else if (night.promote === "tested") {
    progress.bootTest = "missing";
    note(emit, `${reference} stays in ${candidateChannel}: no boot test is set up`);
    return;
  }
  if (stays) return;
  progress.stage = "promote";
  await reportStep(emit, { step: "promote", title: `Let ${name}:${defaultChannel} name ${version}` }, () =>
    promote(store, reference, { arch, requireQualified, signal }),
  );
  progress.stable = version;
}

async function pruneOld({ store, keep, graceMs, now, signal }: Night, progress: Progress, emit: Emit): Promise<void> {
  progress.stage = "prune";
  const { name, arch } = progress;
  const gone = await prune(store, { keep, graceMs, image: { name, arch }, now: now(), emit, signal });
  const removed = gone.filter(({ action }) => action === "remove");
  const freedBytes = removed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  progress.pruned = { versions: removed.length, freedBytes };
}

function tell({ code, message, hint }: Failure) {
  return { code, message, ...(hint === undefined ? {} : { hint }) };
}
