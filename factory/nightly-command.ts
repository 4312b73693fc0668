import { rename, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import { action } from "../common/command-line.ts";
import { type Emit, note } from "../common/event.ts";
import { Failure } from "../common/failure.ts";
import { KeyRing, openStore, refreshMirror, signWith, writePages } from "../mirror/index.ts";
import { type CatalogImage, findImage, loadCatalog } from "./catalog.ts";
import { bootTestByCommand } from "./nightly/boot-test.ts";
import type { NightlyImage } from "./nightly/night.ts";
import { loadNightlySettings, type NightlySettings } from "./nightly/settings.ts";
import { describeSummary, type NightlySummary } from "./nightly/summary.ts";
import { nightly } from "./nightly.ts";
import { findOwnCatalog } from "./own-catalog.ts";

interface NightlyFlags {
  only?: string[];
  force?: boolean;
  dryRun?: boolean;
  summary?: string;
}

/** The verb that builds, tests and publishes what has changed. */
export function addNightlyCommand(program: Command): void {
  program
    .command("nightly <settings>")
    .description("build the images that have changed, publish them as candidate, boot them, let stable name them")
    .option("--only <image...>", "only these images of the settings")
    .option("--force", "build them, changed or not")
    .option("--dry-run", "say what would be built and why, and change nothing")
    .option("--summary <file>", "write the summary there too, as JSON")
    .action(
      action<NightlyFlags>(async ({ emit, print, signal }, { only, force, dryRun, summary: file }, settingsFile) => {
        const settings = await loadNightlySettings(settingsFile);
        const images = await selectImages(settings, only);
        const options = {
          ...(await translate(settings, settingsFile, emit)),
          force: force ?? false,
          dryRun: dryRun ?? false,
        };
        const summary = await nightly({ ...options, images, emit, signal });
        if (!options.dryRun) await writePages(options.store, { emit });
        if (file !== undefined) await writeSummary(file, summary);
        print(summary, describeSummary(summary));
        expectFine(summary);
      }),
    );
}

async function selectImages(settings: NightlySettings, only: string[] | undefined): Promise<NightlyImage[]> {
  const catalog = await loadCatalog(await findOwnCatalog(settings.catalog));
  const known = settings.images?.map(({ name, local }) => ({ image: findImage(catalog, name), local }));
  const images: NightlyImage[] = known ?? [...catalog.values()].map((image) => ({ image }));
  if (!only) return images;
  const byName = new Map<string, CatalogImage>(images.map(({ image }) => [image.name, image]));
  const wanted = new Set(only.map((name) => findImage(byName, name)));
  return images.filter(({ image }) => wanted.has(image));
}

async function translate(settings: NightlySettings, file: string, emit: Emit) {
  const ring = await KeyRing.open(settings.keys);
  const store = openStore(settings.store, { onWarning: (text) => note(emit, text) });
  const { work, logs, cache, template, customize, rhsm, parallel, keep, promote, bootTest } = settings;
  return {
    store: await signWith(ring, store),
    refresh: () => refreshMirror(store, ring),
    work,
    promote,
    buildSettings: {
      ...(cache !== undefined && { cache }),
      ...(template !== undefined && { template }),
      ...(customize && { customize }),
      ...(rhsm && { rhsm }),
    },
    ...(logs !== undefined && { logs }),
    ...(parallel !== undefined && { parallel }),
    ...(keep !== undefined && { keep }),
    ...(settings.requireQualified && { requireQualified: settings.requireQualified }),
    ...(settings.maxAge !== undefined && { maxAgeMs: settings.maxAge }),
    ...(settings.buildTimeout !== undefined && { buildTimeoutMs: settings.buildTimeout }),
    ...(settings.grace !== undefined && { graceMs: settings.grace }),
    ...(settings.diskPerBuild !== undefined && { diskPerBuildBytes: settings.diskPerBuild }),
    ...(settings.memoryPerBuild !== undefined && { memoryPerBuildBytes: settings.memoryPerBuild }),
    ...(bootTest && {
      bootTest: bootTestByCommand({
        ...bootTest,
        timeoutMs: bootTest.timeout,
        directory: dirname(resolve(file)),
        root: `${settings.keys}/root.json`,
      }),
    }),
  };
}

/** Whole or not at all, for whoever waits for the file. */
async function writeSummary(file: string, summary: NightlySummary): Promise<void> {
  const partial = `${file}.partial`;
  await writeFile(partial, `${JSON.stringify(summary, null, 2)}\n`);
  await rename(partial, file);
}

/** @throws Failure `interrupted`, `nightly-failed` (failed) */
function expectFine({ outcome, store, images }: NightlySummary): void {
  if (outcome === "ok") return;
  const doing = `the nightly of ${store}`;
  if (outcome === "interrupted") {
    throw new Failure({ code: "interrupted", kind: "interrupted", message: `${doing}: interrupted` });
  }
  const failed = images.filter((image) => image.outcome === "failed").map(({ name }) => name);
  throw new Failure({
    code: "nightly-failed",
    kind: "failed",
    message: `${doing}: ${failed.length} of ${images.length} images failed: ${failed.join(", ")}`,
    hint: "the others are done; the summary names the stage and the log of each failure",
    data: { failed },
  });
}
