import { type Emit, note, reportStep } from "../../common/event.ts";
import { asFailure, Failure } from "../../common/failure.ts";
import type { QualifiedItem } from "../../mirror/index.ts";
import { type Check, type CheckContext, complain, type Findings, type Skipped } from "./check.ts";
import { describeMissing } from "./missing-programs.ts";
import type { ItemName, Profile, Settings } from "./profile.ts";

/** Every item's check. */
export type Checks = { readonly [Name in ItemName]: Check<Settings<Name>> };

interface RunOptions {
  emit: Emit;
  signal: AbortSignal;
}

/**
 * Runs the items of a profile that are named. Those that only watch go along from the beginning; of those that load the
 * machine, one at a time. What is wrong with one, or with the running of it, is its outcome.
 * @returns in the order of the names
 */
export async function runItems(
  checks: Checks,
  profile: Profile,
  names: readonly ItemName[],
  { emit, signal }: RunOptions,
): Promise<QualifiedItem[]> {
  const loadEnded = Promise.withResolvers<void>();
  const surroundings = { checks, emit, signal, loadEnded: loadEnded.promise };
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

interface Surroundings extends RunOptions {
  checks: Checks;
  loadEnded: Promise<void>;
}

async function runItem(
  profile: Profile,
  name: ItemName,
  { checks, emit, signal, loadEnded }: Surroundings,
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
      const found = await carryOut(checks, name, profile.items, context);
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
  checks: Checks,
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
