import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Event, eventSchema, note } from "../../common/event.ts";
import { Failure } from "../../common/failure.ts";
import { createLimiter } from "../../factory/nightly/limiter.ts";
import { describeSummary, type NightlySummary } from "../../factory/nightly/summary.ts";
import { type NightlyOptions, nightly } from "../../factory/nightly.ts";
import { listImages } from "../../mirror/list-images.ts";
import { openStore } from "../../mirror/open-store.ts";
import { promote } from "../../mirror/promote.ts";
import { keepReport } from "../../mirror/qualification/keep-report.ts";
import { retire } from "../../mirror/retire.ts";
import { rollback } from "../../mirror/rollback.ts";
import type { Store } from "../../mirror/store.ts";
import { gather } from "../mirror/gather.ts";
import { installedFrom, r640, sampleReport, toBytes } from "../mirror/qualification/sample-report.ts";
import { temporaryDirectory } from "../mirror/sample-image.ts";
import { nightlyImage, pretendToBuild } from "./nightly-image.ts";

const hour = 3_600_000;
const debian = { image: nightlyImage("debian-12") };
const rocky = { image: nightlyImage("rocky-9") };

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let store: Store;
let clock: Date;
/** Vendor checksums by image. */
let vendor: Record<string, string>;
let events: Event[];
beforeEach(async () => {
  directory = await temporaryDirectory();
  await mkdir(join(directory.path, "mirror"));
  store = openStore(pathToFileURL(join(directory.path, "mirror")).href);
  clock = new Date("2026-11-24T03:00:00Z");
  vendor = { "debian-12": "sha512:d1", "rocky-9": "sha512:r1" };
  events = [];
});
afterEach(() => directory[Symbol.asyncDispose]());

type Build = NonNullable<NonNullable<NightlyOptions["builders"]>["build"]>;

const pretend: Build = (options) =>
  pretendToBuild(options, { checksum: vendor[options.image.name] ?? "", date: clock });

/** A night with a build that is none and a boot test that passes. */
function spend(changes: Partial<NightlyOptions> = {}): Promise<NightlySummary> {
  return nightly({
    store,
    images: [debian, rocky],
    work: join(directory.path, "work"),
    diskPerBuildBytes: 1,
    now: () => clock,
    bootTest: async () => undefined,
    emit: (event) => events.push(eventSchema.parse(event)),
    ...changes,
    builders: {
      build: pretend,
      findChecksum: async ({ name }) => vendor[name] ?? expect.unreachable(),
      ...changes.builders,
    },
  });
}

const outcomes = ({ images }: NightlySummary) => images.map(({ name, outcome }) => [name, outcome]);
const channelsOf = async (name: string) => (await listImages(store)).find((image) => image.name === name)?.channels;

test("what was built becomes candidate, and once it has booted stable", async () => {
  const seen: unknown[] = [];
  const summary = await spend({
    bootTest: async ({ say, ...subject }) => {
      say("GRUB");
      seen.push([subject, await channelsOf("debian-12")]);
    },
    images: [debian],
  });
  expect(seen).toEqual([
    [{ store: store.url, reference: "debian-12@20261124.0", arch: "amd64" }, { candidate: "20261124.0" }],
  ]);
  expect(await channelsOf("debian-12")).toEqual({ candidate: "20261124.0", stable: "20261124.0" });
  expect(summary).toMatchObject({
    outcome: "ok",
    store: store.url,
    images: [
      {
        outcome: "built",
        reasons: [{ code: "never-published" }],
        version: "20261124.0",
        stable: "20261124.0",
        bootTest: "passed",
      },
    ],
  });
  const log = await readFile(join(directory.path, "work/logs/debian-12-amd64.log"), "utf8");
  expect(log).toMatch(/nightly of debian-12\n.*to be built: never published\n.*GRUB\n.*nightly finished/s);
  expect(await readdir(join(directory.path, "work/builds"))).toEqual([]);
});

test("what has not changed is skipped, and the summary says why for each", async () => {
  await spend();
  clock = new Date("2026-11-25T03:00:00Z");
  vendor["rocky-9"] = "sha512:r2";
  const built: string[] = [];
  const build: Build = (options) => {
    built.push(`${options.image.name}@${options.version}`);
    return pretend(options);
  };
  const summary = await spend({ builders: { build } });
  expect(built).toEqual(["rocky-9@20261125.0"]);
  const why = summary.images.map(({ outcome, reasons }) => [outcome, reasons.map(({ text }) => text)]);
  expect(why).toEqual([
    ["skipped", ["unchanged since 20261124.0"]],
    ["built", ["vendor image changed"]],
  ]);
});

test("a second nightly on one day takes the next number, past what a killed publisher left", async () => {
  await spend({ images: [debian] });
  await store.write("images/debian-12/amd64/20261124.1/image.tar.zst", Buffer.from("half"));
  const summary = await spend({ images: [debian], force: true });
  expect(summary.images).toMatchObject([{ version: "20261124.2", reasons: [{ code: "forced" }] }]);
  expect(await channelsOf("debian-12")).toEqual({ candidate: "20261124.2", stable: "20261124.2" });
});

describe("one failure does not stop the others", () => {
  test.each<[string, Partial<NightlyOptions>, object]>([
    [
      "check",
      { builders: { findChecksum: async ({ name }) => (name === "debian-12" ? fail("no list") : "sha512:r1") } },
      { bootTest: "not-run", reasons: [] },
    ],
    [
      "build",
      { builders: { build: (options) => (options.image.name === "debian-12" ? fail("no kernel") : pretend(options)) } },
      { bootTest: "not-run", reasons: [{ code: "never-published" }] },
    ],
    [
      "publish",
      {
        builders: {
          async build(options) {
            const built = await pretend(options);
            if (options.image.name === "debian-12") await writeFile(join(built.directory, "SHA256SUMS"), "x\n");
            return built;
          },
        },
      },
      { bootTest: "not-run" },
    ],
    [
      "boot-test",
      { bootTest: async ({ reference }) => (reference.startsWith("debian") ? fail("no login") : undefined) },
      { bootTest: "failed", version: "20261124.0" },
    ],
  ])("in %s", async (stage, changes, report) => {
    const summary = await spend(changes);
    expect(summary.outcome).toBe("failed");
    expect(outcomes(summary)).toEqual([
      ["debian-12", "failed"],
      ["rocky-9", "built"],
    ]);
    expect(summary.images[0]).toMatchObject({ failure: { stage }, ...report });
    expect(summary.images[0]).not.toHaveProperty("stable");
    expect((await channelsOf("debian-12"))?.stable).toBeUndefined();
    expect(await channelsOf("rocky-9")).toEqual({ candidate: "20261124.0", stable: "20261124.0" });
    const log = await readFile(summary.images[0]?.log ?? "", "utf8");
    expect(log).toContain(summary.images[0]?.failure?.message);
    expect(await readdir(join(directory.path, "work/builds"))).toEqual([]);
  });

  function fail(reason: string): never {
    throw new Failure({ code: "expected", kind: "failed", message: reason, hint: "none" });
  }
});

test("a build that hangs is ended, and has failed; the others go on", async () => {
  const hang: Build = ({ image, signal, ...options }) =>
    image.name === "debian-12"
      ? new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)))
      : pretend({ image, ...options });
  const summary = await spend({ builders: { build: hang }, buildTimeoutMs: 300 });
  expect(summary).toMatchObject({
    outcome: "failed",
    images: [
      { name: "debian-12", outcome: "failed", failure: { stage: "build", code: "build-timeout" } },
      { name: "rocky-9", outcome: "built" },
    ],
  });
});

test("a limit longer than a timer can wait is no limit of nothing", async () => {
  const slow: Build = async (options) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    options.signal?.throwIfAborted();
    return pretend(options);
  };
  const summary = await spend({ builders: { build: slow }, buildTimeoutMs: 60 * 24 * hour, images: [debian] });
  expect(outcomes(summary)).toEqual([["debian-12", "built"]]);
});

test("a candidate that failed its boot test is tested again the next night, without a build", async () => {
  const failing = { bootTest: () => Promise.reject(new Error("no login")), images: [debian] };
  expect(outcomes(await spend(failing))).toEqual([["debian-12", "failed"]]);
  clock = new Date("2026-11-25T03:00:00Z");
  expect((await spend({ images: [debian] })).images).toMatchObject([
    { outcome: "skipped", bootTest: "passed", version: "20261124.0", stable: "20261124.0" },
  ]);
  expect(await channelsOf("debian-12")).toEqual({ candidate: "20261124.0", stable: "20261124.0" });
});

describe("without a boot test", () => {
  const untested = { images: [debian], bootTest: undefined };

  test("images stay candidates, and the summary says so", async () => {
    const summary = await spend(untested);
    expect(await channelsOf("debian-12")).toEqual({ candidate: "20261124.0" });
    expect(summary).toMatchObject({ outcome: "ok", images: [{ bootTest: "missing" }] });
    expect(describeSummary(summary)).toContain("built, not boot-tested");
  });

  test("they become stable where that is what the user wants", async () => {
    const summary = await spend({ ...untested, promote: "untested" });
    expect(await channelsOf("debian-12")).toEqual({ candidate: "20261124.0", stable: "20261124.0" });
    expect(summary.images).toMatchObject([{ bootTest: "not-run", stable: "20261124.0" }]);
  });
});

describe("what has to be qualified", () => {
  const images = [debian];
  const requireQualified = [r640];
  let boots: number;
  const bootTest = async () => {
    boots += 1;
  };
  const tomorrow = () => {
    clock = new Date(clock.getTime() + 24 * hour);
    return spend({ images, requireQualified, bootTest });
  };
  const keep = async (outcome: "passed" | "failed") => {
    const report = sampleReport(await installedFrom(store, "debian-12:candidate"), { outcome });
    await keepReport(store, "debian-12:candidate", toBytes(report), { arch: "amd64", now: clock });
  };
  beforeEach(async () => {
    boots = 0;
    clock = new Date("2026-12-01T03:00:00Z");
    const summary = await spend({ images, requireQualified, bootTest });
    expect(summary).toMatchObject({
      outcome: "ok",
      images: [{ bootTest: "passed", unqualified: [`${r640} (no report)`] }],
    });
    expect(describeSummary(summary)).toContain("built, booted, not qualified");
    expect(boots).toBe(1);
  });

  test("waits as a candidate, and is not booted again and again", async () => {
    const { images } = await tomorrow();
    expect(images).toMatchObject([{ outcome: "skipped", bootTest: "not-run", unqualified: [expect.any(String)] }]);
    expect(boots).toBe(1);
    expect(await channelsOf("debian-12")).toEqual({ candidate: "20261201.0" });
  });

  test("is booted once more and promoted when it has passed", async () => {
    await keep("passed");
    const { images } = await tomorrow();
    expect(images).toMatchObject([{ outcome: "skipped", bootTest: "passed", stable: "20261201.0" }]);
    expect(images[0]).not.toHaveProperty("unqualified");
    expect(boots).toBe(2);
    expect(await channelsOf("debian-12")).toEqual({ candidate: "20261201.0", stable: "20261201.0" });
  });

  test("stays a candidate when it has failed", async () => {
    await keep("failed");
    expect((await tomorrow()).images).toMatchObject([{ unqualified: [expect.stringContaining("failed 2026-11-30")] }]);
    expect(await channelsOf("debian-12")).toEqual({ candidate: "20261201.0" });
  });
});

test("old versions are pruned, and never the one that stable names", async () => {
  await spend({ images: [debian] });
  const broken = { bootTest: () => Promise.reject(new Error("no login")), images: [debian], force: true };
  for (const day of [25, 26, 27]) {
    clock = new Date(`2026-11-${day}T03:00:00Z`);
    await spend({ ...broken, keep: 2 });
  }
  clock = new Date("2026-11-28T03:00:00Z");
  const [image] = (await spend({ images: [debian], keep: 2, graceMs: 24 * hour })).images;
  expect(image).toMatchObject({ stable: "20261127.0", pruned: { versions: 0 } });
  clock = new Date("2026-11-29T03:00:00Z");
  const [next] = (await spend({ images: [debian], keep: 2, graceMs: 24 * hour })).images;
  expect(next?.pruned).toEqual({ versions: 2, freedBytes: expect.any(Number) });
  expect((await listImages(store))[0]?.versions).toEqual(["20261127.0", "20261126.0"]);
  const keys = (await gather(store.list("images/debian-12/"))).map(({ key }) => key);
  expect(keys.some((key) => key.includes("20261124.0"))).toBe(false);
});

describe("a version that stable was rolled back from", () => {
  const only = { images: [debian] };
  const bad = "20261125.0";

  async function rollBack() {
    await spend(only);
    clock = new Date("2026-11-25T03:00:00Z");
    vendor["debian-12"] = "sha512:bad";
    expect(await spend(only)).toMatchObject({ images: [{ stable: bad }] });
    await rollback(store, "debian-12", { version: "20261124.0", arch: "amd64" });
    clock = new Date("2026-11-26T03:00:00Z");
  }

  test.each([
    ["with a boot test", {}],
    ["without one", { bootTest: undefined, promote: "untested" as const }],
  ])("is not promoted again, %s; what is built anew is", async (_, changes) => {
    await rollBack();
    const [image] = (await spend({ ...only, ...changes })).images;
    expect(image).toMatchObject({ outcome: "skipped", version: bad, stable: "20261124.0", bootTest: "not-run" });
    expect(await channelsOf("debian-12")).toEqual({ candidate: bad, stable: "20261124.0" });
    const said = events.flatMap((event) => (event.kind === "note" ? [event.text] : []));
    expect(said).toContain(`debian-12@${bad} is not promoted: stable was rolled back from ${bad}`);
    vendor["debian-12"] = "sha512:mended";
    expect(await spend({ ...only, ...changes })).toMatchObject({
      outcome: "ok",
      images: [{ outcome: "built", version: "20261126.0", stable: "20261126.0" }],
    });
  });

  test("is promoted where somebody asks for it", async () => {
    await rollBack();
    await promote(store, "debian-12:candidate", { arch: "amd64" });
    expect((await spend(only)).images).toMatchObject([{ outcome: "skipped", stable: bad }]);
  });

  test("can be retired: what would be made of it now is built under a new version", async () => {
    await rollBack();
    await rollback(store, "debian-12", { version: "20261124.0", arch: "amd64", channel: "candidate" });
    await retire(store, `debian-12@${bad}`, { arch: "amd64", now: clock });
    clock = new Date("2026-11-25T23:00:00Z");
    const [image] = (await spend(only)).images;
    expect(image).toMatchObject({ outcome: "built", version: "20261125.1", reasons: [{ code: "vendor-changed" }] });
    expect(await channelsOf("debian-12")).toEqual({ candidate: "20261125.1", stable: "20261125.1" });
  });

  test("can be retired: where the present one is what a build would give, nothing is built", async () => {
    await rollBack();
    await rollback(store, "debian-12", { version: "20261124.0", arch: "amd64", channel: "candidate" });
    await retire(store, `debian-12@${bad}`, { arch: "amd64", now: clock });
    vendor["debian-12"] = "sha512:d1";
    const [image] = (await spend(only)).images;
    expect(image).toMatchObject({ outcome: "skipped", version: "20261124.0", stable: "20261124.0" });
  });
});

test("the vendor's file for its customers alone is the user's to bring", async () => {
  const image = { ...debian.image, source: { kind: "supplied", supplied: "https://vendor.example.net" } } as const;
  const findChecksum = () => expect.unreachable();
  const without = await spend({ images: [{ image }], builders: { findChecksum } });
  expect(without.images).toMatchObject([{ outcome: "skipped", reasons: [{ code: "file-needed" }] }]);
  const checksum = `sha256:${"a".repeat(64)}`;
  const given: unknown[] = [];
  const build: Build = (options) => {
    given.push([options.source, options.checksum]);
    return pretendToBuild(options, { checksum, date: clock });
  };
  const local = { source: "/srv/rhel.qcow2", checksum };
  const subject = { images: [{ image, local }], builders: { build, findChecksum } };
  expect(outcomes(await spend(subject))).toEqual([["debian-12", "built"]]);
  expect(outcomes(await spend(subject))).toEqual([["debian-12", "skipped"]]);
  expect(given).toEqual([["/srv/rhel.qcow2", checksum]]);
});

test("a subscription is for the images that need it", async () => {
  const given: unknown[] = [];
  const build: Build = (options) => {
    given.push([options.image.name, options.rhsm, options.customize]);
    return pretend(options);
  };
  const rhsm = { organization: "123", activationKeyFile: "/etc/metalcast/key" };
  const customize = { way: "qemu", accelerator: "tcg" } as const;
  const licensed = { image: { ...rocky.image, license: "rhsm" } as const };
  await spend({ images: [debian, licensed], parallel: 1, buildSettings: { rhsm, customize }, builders: { build } });
  expect(given.sort()).toEqual([
    ["debian-12", undefined, customize],
    ["rocky-9", rhsm, customize],
  ]);
});

test("a dry run says what would be built, and changes nothing", async () => {
  const build: Build = () => expect.unreachable();
  const summary = await spend({ dryRun: true, builders: { build } });
  expect(outcomes(summary)).toEqual([
    ["debian-12", "due"],
    ["rocky-9", "due"],
  ]);
  expect(await readdir(directory.path)).toEqual(["mirror"]);
  expect(await readdir(join(directory.path, "mirror"))).toEqual([]);
});

test("two at once: the second one is told so, and what a killed one left is cleared by the next", async () => {
  await mkdir(join(directory.path, "work/builds/debian-12.partial-x"), { recursive: true });
  const started = Promise.withResolvers<void>();
  const ending = Promise.withResolvers<void>();
  const build: Build = async (options) => {
    started.resolve();
    await ending.promise;
    return pretend(options);
  };
  const first = spend({ images: [debian], builders: { build } });
  await started.promise;
  expect(await readdir(join(directory.path, "work/builds"))).toEqual([]);
  await expect(spend()).rejects.toMatchObject({ code: "nightly-running", kind: "retry" });
  ending.resolve();
  expect(outcomes(await first)).toEqual([["debian-12", "built"]]);
  expect((await spend({ images: [debian] })).outcome).toBe("ok");
});

test("interrupted: running builds end, nothing more begins, nothing is published, the summary says how far it went", async () => {
  const interruption = new AbortController();
  const begun: string[] = [];
  const build: Build = async ({ image, signal }) => {
    begun.push(image.name);
    interruption.abort();
    signal?.throwIfAborted();
    return expect.unreachable();
  };
  const summary = await spend({ parallel: 1, signal: interruption.signal, builders: { build } });
  expect(begun).toHaveLength(1);
  expect(summary.outcome).toBe("interrupted");
  expect(outcomes(summary)).toEqual([
    ["debian-12", "interrupted"],
    ["rocky-9", "interrupted"],
  ]);
  expect(await gather(store.list(""))).toEqual([]);
});

test("interrupted in the boot test: the candidate is not promoted, even if the test says nothing", async () => {
  const interruption = new AbortController();
  const bootTest = async () => interruption.abort();
  const summary = await spend({ images: [debian], signal: interruption.signal, bootTest });
  expect(summary.images).toMatchObject([{ outcome: "interrupted", bootTest: "not-run" }]);
  expect(await channelsOf("debian-12")).toEqual({ candidate: "20261124.0" });
});

test("builds run side by side within their limit, boot tests one at a time, and events say whose they are", async () => {
  const images = ["a", "b", "c", "d", "e"].map((name) => ({ image: nightlyImage(name) }));
  for (const { image } of images) vendor[image.name] = `sha512:${image.name}`;
  const pairs = Promise.withResolvers<void>();
  const running = { builds: 0, boots: 0 };
  const most = { builds: 0, boots: 0 };
  const counted = async <T>(what: "builds" | "boots", work: () => Promise<T>) => {
    running[what] += 1;
    most[what] = Math.max(most[what], running[what]);
    try {
      return await work();
    } finally {
      running[what] -= 1;
    }
  };
  const build: Build = (options) =>
    counted("builds", async () => {
      if (running.builds === 2) pairs.resolve();
      await pairs.promise;
      note(options.emit, `building ${options.image.name}`);
      return pretend(options);
    });
  const bootTest = () => counted("boots", () => new Promise<void>((resolve) => setImmediate(resolve)));
  const summary = await spend({ images, parallel: 2, memoryPerBuildBytes: 1, bootTest, builders: { build } });
  expect(summary.outcome).toBe("ok");
  expect(most).toEqual({ builds: 2, boots: 1 });
  for (const { image } of images) {
    expect(events).toContainEqual(expect.objectContaining({ scope: image.name, text: `building ${image.name}` }));
  }
  expect(events.every(({ scope }) => scope !== undefined)).toBe(true);
});

test("a limiter lets nobody in who comes while a place is handed over", async () => {
  const limit = createLimiter(1);
  let running = 0;
  const work = async () => {
    running += 1;
    expect(running).toBe(1);
    await Promise.resolve();
    running -= 1;
  };
  const comeAfter = async (turns: number) => {
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    await limit(work);
  };
  // Whoever comes in any turn of the event loop's queue, also in the one between two places.
  for (let turns = 0; turns < 12; turns += 1) await Promise.all([limit(work), limit(work), comeAfter(turns)]);
  await expect(limit(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
  await limit(work);
});

test("people get one table, and for each failure what to look at", async () => {
  const summary = await spend({
    bootTest: async ({ reference }) => {
      if (reference.startsWith("rocky"))
        throw new Failure({ code: "x", kind: "failed", message: "no login", hint: "look" });
    },
  });
  const [head, debianLine, rockyLine, ...rest] = describeSummary(summary).split("\n");
  expect(head).toMatch(/^image +arch +result +version +stable +why +after$/);
  expect(debianLine).toMatch(/^debian-12 +amd64 +built, booted +20261124\.0 +20261124\.0 +never published +/);
  expect(rockyLine).toMatch(/^rocky-9 +amd64 +failed: boot-test +20261124\.0 +- +never published +/);
  expect(rest.slice(0, 3)).toEqual(["rocky-9: no login", "  hint: look", `  log: ${summary.images[1]?.log}`]);
  expect(rest.at(-1)).toMatch(/: failed in /);
});
