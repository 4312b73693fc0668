import { expect, test } from "vitest";
import { selectDisks } from "../../installer/select-disks.ts";
import { sampleDisk, sampleHardware, sampleJob } from "./samples.ts";

const minimum = 2 ** 30;
const select = (disks: ReturnType<typeof sampleDisk>[], wanted: object) =>
  selectDisks(sampleJob({ disks: wanted }), sampleHardware({ disks }), minimum).map(({ serial }) => serial);

const [a, b, c] = [sampleDisk("a"), sampleDisk("b"), sampleDisk("c")];
const rescue = sampleDisk("r", { heldBy: ["/dev/sdr1 is mounted on /"], holdsRunningSystem: true });
const mounted = sampleDisk("m", { heldBy: ["/dev/sdm1 is mounted on /data"] });

test("takes what matches, and only that", () => {
  expect(select([a, b], { count: 2 })).toEqual(["A", "B"]);
  expect(select([a, b, c], { count: 2, match: { serial: ["A", "C"] } })).toEqual(["A", "C"]);
  expect(select([a, sampleDisk("b", { rotational: true })], { count: 1, match: { rotational: false } })).toEqual(["A"]);
  expect(select([a, sampleDisk("b", { sizeBytes: 4e12 })], { count: 1, match: { size: ">= 1 TB" } })).toEqual(["B"]);
});

test("goes around the disk that the rescue system runs from, and busy ones, where others suffice", () => {
  expect(select([a, b, rescue, mounted], { count: 2 })).toEqual(["A", "B"]);
});

test.each([
  ["disks-too-few", [a], { count: 2 }, /1 can be used/],
  ["disks-too-few", [a, b], { count: 2, match: { model: "OTHER" } }, /model is "SAMPLE"/],
  ["disks-ambiguous", [a, b, c], { count: 2 }, /3 match/],
  ["disk-holds-running-system", [a, rescue], { count: 2 }, /mounted on \//],
  ["disk-held", [a, mounted], { count: 2 }, /\/dev\/sdm1 is mounted on \/data/],
  ["disk-too-small", [a, sampleDisk("b", { sizeBytes: 1e6 })], { count: 2 }, /1\.0 GiB are needed/],
  ["disk-read-only", [a, sampleDisk("b", { readOnly: true })], { count: 2 }, /read-only/],
])("%s", (code, disks, wanted, message) => {
  const expected = expect.objectContaining({ code, message: expect.stringMatching(message), hint: expect.any(String) });
  expect(() => select(disks, wanted)).toThrow(expected);
});
