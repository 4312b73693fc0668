import { mkdir } from "node:fs/promises";
import { expect, test } from "vitest";
import { withLock } from "../../../common/file-lock.ts";
import { digestProfile, profileSchema } from "../../../installer/qualify/profile.ts";
import { type QualifyOptions, qualify } from "../../../installer/qualify/qualify.ts";
import { runDirectory } from "../../../installer/run-directory.ts";
import { qualificationReportSchema } from "../../../mirror/index.ts";

const image = { name: "debian-12", arch: "amd64", version: "20261123.0" } as const;

/** Items that find nothing to do on a machine without md arrays and bonds, and at once. */
const idle = { "network-bonds": {}, "disk-arrays": {} };

function qualifyBy(items: object, options: Partial<QualifyOptions> = {}) {
  const profile = profileSchema.parse({ name: "test", items });
  const signal = new AbortController().signal;
  return { profile, report: qualify(profile, { emit: () => undefined, signal, ...options }) };
}

test("the report names the host, the image, the profile and its digest, and is as its schema says", async () => {
  const { profile, report } = qualifyBy(idle, { image });
  const found = await report;
  expect(qualificationReportSchema.parse(JSON.parse(JSON.stringify(found)))).toEqual(found);
  expect(found).toMatchObject({
    ...{ outcome: "passed", partial: false, image },
    profile: { name: "test", sha256: digestProfile(profile) },
    items: [
      { name: "network-bonds", outcome: "skipped" },
      { name: "disk-arrays", outcome: "skipped" },
    ],
  });
  expect(found.host.memoryBytes).toBeGreaterThan(0);
});

test("what is required and not there fails the server", async () => {
  const { report } = qualifyBy({ ...idle, "disk-arrays": { required: true } });
  expect(await report).toMatchObject({ outcome: "failed", items: [{ outcome: "skipped" }, { outcome: "failed" }] });
});

test("some items of a profile are a partial report; one that it does not have is unknown", async () => {
  const { report } = qualifyBy(idle, { only: ["disk-arrays"] });
  expect(await report).toMatchObject({ partial: true, items: [{ name: "disk-arrays" }] });
  await expect(qualifyBy(idle, { only: ["compute"] }).report).rejects.toMatchObject({
    ...{ code: "item-unknown", kind: "configuration" },
    hint: "items: network-bonds, disk-arrays",
  });
});

test("an interruption ends a load, and the report says so", async () => {
  const interruption = new AbortController();
  const { report } = qualifyBy(
    { compute: { duration: "1h" }, "disk-arrays": {} },
    {
      signal: interruption.signal,
      emit: (event) => {
        if (event.kind === "step-started" && event.step === "compute") setTimeout(() => interruption.abort(), 1000);
      },
    },
  );
  expect(await report).toMatchObject({
    outcome: "interrupted",
    items: [
      { name: "compute", outcome: "skipped", reason: "interrupted before its end" },
      { name: "disk-arrays", outcome: "skipped", reason: "interrupted before its end" },
    ],
  });
});

test("only one runs on a server at a time", async () => {
  await mkdir(runDirectory, { recursive: true });
  await withLock(`${runDirectory}/qualify.lock`, async () => {
    const second = qualifyBy(idle).report;
    await expect(second).rejects.toMatchObject({ code: "qualification-running", kind: "refused" });
  });
});
