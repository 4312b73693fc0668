import { beforeEach, describe, expect, test } from "vitest";
import { describeSummary } from "../../factory/nightly/summary.ts";
import { promote } from "../../mirror/promote.ts";
import { keepReport } from "../../mirror/qualification/keep-report.ts";
import { retire } from "../../mirror/retire.ts";
import { rollback } from "../../mirror/rollback.ts";
import { installedFrom, r640, sampleReport, toBytes } from "../mirror/qualification/sample-report.ts";
import { debian, hour, outcomes, useStage } from "./nightly-stage.ts";

const stage = useStage();
const { spend, channelsOf } = stage;

test("a candidate that failed its boot test is tested again the next night, without a build", async () => {
  const failing = { bootTest: () => Promise.reject(new Error("no login")), images: [debian] };
  expect(outcomes(await spend(failing))).toEqual([["debian-12", "failed"]]);
  stage.clock = new Date("2026-11-25T03:00:00Z");
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
    stage.clock = new Date(stage.clock.getTime() + 24 * hour);
    return spend({ images, requireQualified, bootTest });
  };
  const keep = async (outcome: "passed" | "failed") => {
    const report = sampleReport(await installedFrom(stage.store, "debian-12:candidate"), { outcome });
    await keepReport(stage.store, "debian-12:candidate", toBytes(report), { arch: "amd64", now: stage.clock });
  };
  beforeEach(async () => {
    boots = 0;
    stage.clock = new Date("2026-12-01T03:00:00Z");
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

describe("a version that stable was rolled back from", () => {
  const only = { images: [debian] };
  const bad = "20261125.0";

  async function rollBack() {
    await spend(only);
    stage.clock = new Date("2026-11-25T03:00:00Z");
    stage.vendor["debian-12"] = "sha512:bad";
    expect(await spend(only)).toMatchObject({ images: [{ stable: bad }] });
    await rollback(stage.store, "debian-12", { version: "20261124.0", arch: "amd64" });
    stage.clock = new Date("2026-11-26T03:00:00Z");
  }

  test.each([
    ["with a boot test", {}],
    ["without one", { bootTest: undefined, promote: "untested" as const }],
  ])("is not promoted again, %s; what is built anew is", async (_, changes) => {
    await rollBack();
    const [image] = (await spend({ ...only, ...changes })).images;
    expect(image).toMatchObject({ outcome: "skipped", version: bad, stable: "20261124.0", bootTest: "not-run" });
    expect(await channelsOf("debian-12")).toEqual({ candidate: bad, stable: "20261124.0" });
    const said = stage.events.flatMap((event) => (event.kind === "note" ? [event.text] : []));
    expect(said).toContain(`debian-12@${bad} is not promoted: stable was rolled back from ${bad}`);
    stage.vendor["debian-12"] = "sha512:mended";
    expect(await spend({ ...only, ...changes })).toMatchObject({
      outcome: "ok",
      images: [{ outcome: "built", version: "20261126.0", stable: "20261126.0" }],
    });
  });

  test("is promoted where somebody asks for it", async () => {
    await rollBack();
    await promote(stage.store, "debian-12:candidate", { arch: "amd64" });
    expect((await spend(only)).images).toMatchObject([{ outcome: "skipped", stable: bad }]);
  });

  test("can be retired: what would be made of it now is built under a new version", async () => {
    await rollBack();
    await rollback(stage.store, "debian-12", { version: "20261124.0", arch: "amd64", channel: "candidate" });
    await retire(stage.store, `debian-12@${bad}`, { arch: "amd64", now: stage.clock });
    stage.clock = new Date("2026-11-25T23:00:00Z");
    const [image] = (await spend(only)).images;
    expect(image).toMatchObject({ outcome: "built", version: "20261125.1", reasons: [{ code: "vendor-changed" }] });
    expect(await channelsOf("debian-12")).toEqual({ candidate: "20261125.1", stable: "20261125.1" });
  });

  test("can be retired: where the present one is what a build would give, nothing is built", async () => {
    await rollBack();
    await rollback(stage.store, "debian-12", { version: "20261124.0", arch: "amd64", channel: "candidate" });
    await retire(stage.store, `debian-12@${bad}`, { arch: "amd64", now: stage.clock });
    stage.vendor["debian-12"] = "sha512:d1";
    const [image] = (await spend(only)).images;
    expect(image).toMatchObject({ outcome: "skipped", version: "20261124.0", stable: "20261124.0" });
  });
});

test("interrupted in the boot test: the candidate is not promoted, even if the test says nothing", async () => {
  const interruption = new AbortController();
  const bootTest = async () => interruption.abort();
  const summary = await spend({ images: [debian], signal: interruption.signal, bootTest });
  expect(summary.images).toMatchObject([{ outcome: "interrupted", bootTest: "not-run" }]);
  expect(await channelsOf("debian-12")).toEqual({ candidate: "20261124.0" });
});
