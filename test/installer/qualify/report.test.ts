import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { complain, measure } from "../../../installer/qualify/check.ts";
import { measureTemperatures } from "../../../installer/qualify/checks/compute.ts";
import { digestProfile, loadProfile, profileSchema } from "../../../installer/qualify/profile.ts";
import { renderReport } from "../../../installer/qualify/render-report.ts";
import { writeReport } from "../../../installer/qualify/write-report.ts";
import { type QualificationReport, qualificationReportSchema, type Series } from "../../../mirror/index.ts";

const at = "2026-11-30T06:00:00.000Z";
const hostile = `<script>alert(1)</script>"'\u202e`;

function sampleReport(): QualificationReport {
  const measurement = measure("read", 12, { subject: hostile, unit: "MB/s", min: 50 });
  return {
    formatVersion: 1,
    outcome: "failed",
    startedAt: at,
    endedAt: at,
    host: {
      vendor: hostile,
      model: hostile,
      serial: hostile,
      firmware: hostile,
      cpu: { model: hostile, count: 2, microcode: hostile },
      memoryBytes: 2 ** 30,
      kernel: hostile,
      system: hostile,
      disks: [{ name: hostile, model: hostile, serial: hostile, sizeBytes: 1 }],
      interfaces: [{ name: hostile, mac: hostile, driver: hostile }],
    },
    profile: { name: "quick", sha256: "0".repeat(64) },
    partial: false,
    items: [
      {
        name: "disk-io",
        title: "write",
        outcome: "failed",
        reason: complain(measurement),
        startedAt: at,
        durationMs: 1,
        measurements: [measurement],
        series: [
          {
            name: hostile,
            unit: hostile,
            points: [
              [0, 1],
              [1, 2],
            ],
          },
        ],
      },
    ],
  };
}

test("what firmware says of itself is text on the page, and never markup", () => {
  const page = renderReport(sampleReport());
  expect(page).not.toContain("<script");
  expect(page).not.toContain("\u202e");
  expect(page).toContain("&lt;script&gt;");
  expect(page).toContain("<polyline");
});

test("the page asks for nothing outside itself", () => {
  expect(renderReport(sampleReport())).not.toMatch(/(?:src|href)="(?!#)|url\(/);
});

test("a report is as its schema says, and both files are there", async () => {
  const directory = await mkdtemp(join(tmpdir(), "qualify-"));
  try {
    await writeReport(directory, sampleReport());
    expect((await readdir(directory)).sort()).toEqual(["report.html", "report.json"]);
    const value: unknown = JSON.parse(await readFile(join(directory, "report.json"), "utf8"));
    expect(qualificationReportSchema.parse(value)).toEqual(sampleReport());
  } finally {
    await rm(directory, { recursive: true });
  }
});

test.each([
  [measure("read", 12, { min: 50, unit: "MB/s", subject: "/srv" }), "read of /srv is 12 MB/s, at least 50 expected"],
  [measure("loss", 3, { max: 0, unit: "%" }), "loss is 3 %, at most 0 expected"],
  [measure("link", "down", { oneOf: ["up"] }), "link is down, not up"],
  [measure("speed", "unknown", { min: 1 }), "speed is unknown, at least 1 expected"],
])("a limit that is not kept is told: %#", (measurement, words) => {
  expect(measurement.ok).toBe(false);
  expect(complain(measurement)).toBe(words);
});

test("what nothing tells keeps no limit", () => {
  expect(measure("throttled", undefined, { max: 0, unit: "times" })).toMatchObject({ value: "unknown", ok: false });
  expect(measure("drift", Number.NaN, { max: 500 })).toMatchObject({ value: "unknown", ok: false });
  expect(measureTemperatures([], 90)).toMatchObject([{ name: "temperature-max", ok: false }]);
  expect(measureTemperatures([], undefined)).toMatchObject([{ ok: true }]);
});

test("the highest temperature of each sensor counts", () => {
  const sensors: Series[] = [
    {
      name: "one",
      unit: "°C",
      points: [
        [0, 40],
        [1, 95],
        [2, 50],
      ],
    },
    { name: "two", unit: "°C", points: [[0, 60]] },
  ];
  expect(measureTemperatures(sensors, 90)).toMatchObject([
    { subject: "one", value: 95, ok: false },
    { subject: "two", value: 60, ok: true },
  ]);
});

test("what has no limit, or keeps it, is fine", () => {
  expect(measure("read", 12).ok).toBe(true);
  expect(measure("read", 50, { min: 50, max: 50 }).ok).toBe(true);
});

test("the built-in profiles are valid, and never name a device to be overwritten", async () => {
  for (const name of ["quick", "full"]) {
    const { items } = await loadProfile(name);
    expect(items["disk-io"]?.overwriteDevices).toEqual([]);
  }
});

test("a profile's wrong fields are told, all at once", () => {
  const wrong = { name: "x", items: { compute: { duration: "soon" }, "network-peer": { peer: "--server" }, cpu: {} } };
  const paths = profileSchema.safeParse(wrong).error?.issues.map(({ path }) => path.join("."));
  expect(paths?.sort()).toEqual(["items", "items.compute.duration", "items.network-peer.peer"]);
});

test("the digest changes with a limit, and not with what is the default anyhow", () => {
  const of = (compute: object) => digestProfile(profileSchema.parse({ name: "x", items: { compute } }));
  expect(of({ duration: "60 s" })).toBe(of({}));
  expect(of({ maxTemperature: 80 })).not.toBe(of({}));
});
