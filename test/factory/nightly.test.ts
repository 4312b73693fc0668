import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { note } from "../../common/event.ts";
import { Failure } from "../../common/failure.ts";
import { describeSummary } from "../../factory/nightly/summary.ts";
import type { NightlyOptions } from "../../factory/nightly.ts";
import { listImages } from "../../mirror/list-images.ts";
import { gather } from "../mirror/gather.ts";
import { nightlyImage, pretendToBuild } from "./nightly-image.ts";
import { type Build, debian, hour, outcomes, rocky, useStage } from "./nightly-stage.ts";

const stage = useStage();
const { spend, channelsOf, pretend } = stage;

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
    [{ store: stage.store.url, reference: "debian-12@20261124.0", arch: "amd64" }, { candidate: "20261124.0" }],
  ]);
  expect(await channelsOf("debian-12")).toEqual({ candidate: "20261124.0", stable: "20261124.0" });
  expect(summary).toMatchObject({
    outcome: "ok",
    store: stage.store.url,
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
  const log = await readFile(join(stage.directory, "work/logs/debian-12-amd64.log"), "utf8");
  expect(log).toMatch(/nightly of debian-12\n.*to be built: never published\n.*GRUB\n.*nightly finished/s);
  expect(await readdir(join(stage.directory, "work/builds"))).toEqual([]);
});

test("what has not changed is skipped, and the summary says why for each", async () => {
  await spend();
  stage.clock = new Date("2026-11-25T03:00:00Z");
  stage.vendor["rocky-9"] = "sha512:r2";
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
  await stage.store.write("images/debian-12/amd64/20261124.1/image.tar.zst", Buffer.from("half"));
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
  ])("in %s", async (place, changes, report) => {
    const summary = await spend(changes);
    expect(summary.outcome).toBe("failed");
    expect(outcomes(summary)).toEqual([
      ["debian-12", "failed"],
      ["rocky-9", "built"],
    ]);
    expect(summary.images[0]).toMatchObject({ failure: { stage: place }, ...report });
    expect(summary.images[0]).not.toHaveProperty("stable");
    expect((await channelsOf("debian-12"))?.stable).toBeUndefined();
    expect(await channelsOf("rocky-9")).toEqual({ candidate: "20261124.0", stable: "20261124.0" });
    const log = await readFile(summary.images[0]?.log ?? "", "utf8");
    expect(log).toContain(summary.images[0]?.failure?.message);
    expect(await readdir(join(stage.directory, "work/builds"))).toEqual([]);
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

test("old versions are pruned, and never the one that stable names", async () => {
  await spend({ images: [debian] });
  const broken = { bootTest: () => Promise.reject(new Error("no login")), images: [debian], force: true };
  for (const day of [25, 26, 27]) {
    stage.clock = new Date(`2026-11-${day}T03:00:00Z`);
    await spend({ ...broken, keep: 2 });
  }
  stage.clock = new Date("2026-11-28T03:00:00Z");
  const [image] = (await spend({ images: [debian], keep: 2, graceMs: 24 * hour })).images;
  expect(image).toMatchObject({ stable: "20261127.0", pruned: { versions: 0 } });
  stage.clock = new Date("2026-11-29T03:00:00Z");
  const [next] = (await spend({ images: [debian], keep: 2, graceMs: 24 * hour })).images;
  expect(next?.pruned).toEqual({ versions: 2, freedBytes: expect.any(Number) });
  expect((await listImages(stage.store))[0]?.versions).toEqual(["20261127.0", "20261126.0"]);
  const keys = (await gather(stage.store.list("images/debian-12/"))).map(({ key }) => key);
  expect(keys.some((key) => key.includes("20261124.0"))).toBe(false);
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
    return pretendToBuild(options, { checksum, date: stage.clock });
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
  expect(await readdir(stage.directory)).toEqual(["mirror"]);
  expect(await readdir(join(stage.directory, "mirror"))).toEqual([]);
});

test("two at once: the second one is told so, and what a killed one left is cleared by the next", async () => {
  await mkdir(join(stage.directory, "work/builds/debian-12.partial-x"), { recursive: true });
  const started = Promise.withResolvers<void>();
  const ending = Promise.withResolvers<void>();
  const build: Build = async (options) => {
    started.resolve();
    await ending.promise;
    return pretend(options);
  };
  const first = spend({ images: [debian], builders: { build } });
  await started.promise;
  expect(await readdir(join(stage.directory, "work/builds"))).toEqual([]);
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
  expect(await gather(stage.store.list(""))).toEqual([]);
});

test("builds run side by side within their limit, boot tests one at a time, and events say whose they are", async () => {
  const images = ["a", "b", "c", "d", "e"].map((name) => ({ image: nightlyImage(name) }));
  for (const { image } of images) stage.vendor[image.name] = `sha512:${image.name}`;
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
    expect(stage.events).toContainEqual(expect.objectContaining({ scope: image.name, text: `building ${image.name}` }));
  }
  expect(stage.events.every(({ scope }) => scope !== undefined)).toBe(true);
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
