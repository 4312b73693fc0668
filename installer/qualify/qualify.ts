import { mkdir } from "node:fs/promises";
import { type Emit, note, reportOperation, reportStep } from "../../common/event.ts";
import { asFailure, Failure } from "../../common/failure.ts";
import { withLock } from "../../common/file-lock.ts";
import { endLeftPrograms } from "../../common/left-programs.ts";
import { checkRoot } from "../../common/root.ts";
import { hardwareName, type QualificationReport, type QualifiedImage, type QualifiedItem } from "../../mirror/index.ts";
import { runDirectory } from "../run-directory.ts";
import type { Check, CheckContext, Findings, Skipped } from "./check.ts";
import { complain } from "./check.ts";
import { checks } from "./checks/index.ts";
import { describeHost } from "./describe-host.ts";
import { describeMissing } from "./missing-programs.ts";
import { digestProfile, type ItemName, isItemName, itemNames, type Profile, type Settings } from "./profile.ts";

export interface QualifyOptions {
  /** Default: all that the profile has. */
  only?: readonly ItemName[];
  image?: QualifiedImage | undefined;
  emit: Emit;
  signal: AbortSignal;
}

/**
 * Finds out whether this server and what is installed on it are fit for each other, by a profile. An interruption ends
 * what is running, and the report says so.
 * @throws Failure `not-root`, `item-unknown` (configuration), `qualification-running`, `programs-left` (refused)
 */
export async function qualify(profile: Profile, options: QualifyOptions): Promise<QualificationReport> {
  const { image, emit, signal, only } = options;
  checkRoot("qualifying this server");
  const names = choose(profile, only);
  await endLeftPrograms("qualifying this server", signal);
  await mkdir(runDirectory, { recursive: true });
  return withLock(`${runDirectory}/qualify.lock`, work, { ifHeld: alreadyRunning, signal });

  async function work(): Promise<QualificationReport> {
    const startedAt = new Date().toISOString();
    const host = await describeHost(signal);
    const subject = `${hardwareName(host)} by profile ${profile.name}`;
    return reportOperation(emit, { operation: "qualification", subject }, async () => {
      const items = await runAll(profile, names, { emit, signal });
      const hasFailed = items.some(({ outcome }) => outcome === "failed");
      return {
        formatVersion: 1,
        outcome: signal.aborted ? "interrupted" : hasFailed ? "failed" : "passed",
        startedAt,
        endedAt: new Date().toISOString(),
        host,
        ...(image && { image }),
        profile: { name: profile.name, sha256: digestProfile(profile) },
        partial: only !== undefined,
        items,
      };
    });
  }
}

/** Those that only watch go along; of those that load the machine, one at a time. */
async function runAll(
  profile: Profile,
  names: readonly ItemName[],
  { emit, signal }: { emit: Emit; signal: AbortSignal },
): Promise<QualifiedItem[]> {
  const loadEnded = Promise.withResolvers<void>();
  const surroundings = { emit, signal, loadEnded: loadEnded.promise };
  const watching = names
    .filter((name) => checks[name].kind === "watch")
    .map((name) => runItem(profile, name, surroundings));
  const items: QualifiedItem[] = [];
  try {
    for (const name of names) {
      if (checks[name].kind === "load") items.push(await runItem(profile, name, surroundings));
    }
  } finally {
    loadEnded.resolve();
    items.push(...(await Promise.all(watching)));
  }
  return names.flatMap((name) => items.filter((item) => item.name === name));
}

interface Surroundings {
  emit: Emit;
  signal: AbortSignal;
  loadEnded: Promise<void>;
}

async function runItem(
  profile: Profile,
  name: ItemName,
  { emit, signal, loadEnded }: Surroundings,
): Promise<QualifiedItem> {
  const { title } = checks[name];
  const isRequired = profile.items[name]?.required ?? false;
  const startedAt = new Date();
  const begun = performance.now();
  const context: CheckContext = { signal, loadEnded, say: (text) => note(emit, text, name) };
  const end = (outcome: QualifiedItem["outcome"], reason: string | undefined, found?: Findings): QualifiedItem => ({
    name,
    title,
    outcome,
    ...(reason !== undefined && { reason }),
    startedAt: startedAt.toISOString(),
    durationMs: Math.round(performance.now() - begun),
    measurements: found?.measurements ?? [],
    series: found?.series ?? [],
  });
  let item: QualifiedItem | undefined;
  try {
    return await reportStep(emit, { step: name, title }, async () => {
      signal.throwIfAborted();
      const found = await carryOut(name, profile.items, context);
      signal.throwIfAborted();
      if ("skipped" in found) {
        item = end(isRequired ? "failed" : "skipped", found.skipped);
        if (!isRequired) note(emit, `skipped: ${found.skipped}`, name);
      } else {
        const reasons = [...(found.problems ?? []), ...found.measurements.filter(({ ok }) => !ok).map(complain)];
        item = end(
          reasons.length > 0 ? "failed" : "passed",
          reasons.length > 0 ? reasons.join("; ") : undefined,
          found,
        );
      }
      if (item.outcome === "failed") {
        throw new Failure({ code: "item-failed", kind: "failed", message: `${name}: ${item.reason}` });
      }
      return item;
    });
  } catch (error) {
    if (signal.aborted) return end("skipped", "interrupted before its end");
    return item ?? end("failed", asFailure(error, title).message);
  }
}

async function carryOut<Name extends ItemName>(
  name: Name,
  items: { [Each in ItemName]?: Settings<Each> | undefined },
  context: CheckContext,
): Promise<Findings | Skipped> {
  const check: Check<Settings<Name>> = checks[name];
  const settings: Settings<Name> | undefined = items[name];
  if (settings === undefined) return { skipped: "the profile does not have it" };
  const missing = await describeMissing(check.programs(settings));
  return missing === undefined ? check.run(settings, context) : { skipped: missing };
}

function choose(profile: Profile, only: readonly string[] | undefined): ItemName[] {
  const there = itemNames.filter((name) => profile.items[name] !== undefined);
  for (const name of only ?? []) {
    if (isItemName(name) && there.includes(name)) continue;
    throw new Failure({
      code: "item-unknown",
      kind: "configuration",
      message: `qualifying this server: the profile ${profile.name} has no item ${name}`,
      hint: `items: ${there.join(", ")}`,
    });
  }
  return there.filter((name) => !only || only.includes(name));
}

function alreadyRunning(): Failure {
  return new Failure({
    code: "qualification-running",
    kind: "refused",
    message: "qualifying this server: another qualification is running on it, and they would falsify each other",
    hint: "wait for it, or end it",
  });
}
