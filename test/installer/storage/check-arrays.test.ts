import { expect, test } from "vitest";
import { plan } from "../../../installer/plan.ts";
import { arraysMadeBy } from "../../../installer/storage/check-arrays.ts";
import { sampleHardware, sampleImage, sampleJob } from "../samples.ts";

const { arrays, steps } = plan(sampleJob(), sampleHardware(), sampleImage());
const assembling = steps.findIndex(({ name }) => name === "assemble-root");

test("the plan says what each array is to consist of", () => {
  const members = ["A", "B"].map((serial) => `/dev/disk/by-id/ata-SAMPLE_${serial}-part4`);
  expect(arrays).toEqual([{ path: "/dev/md/root", members }]);
});

test("an array that has its name from an earlier installation is not judged before ours is made", () => {
  expect(arraysMadeBy(steps.slice(0, assembling), arrays)).toEqual([]);
  expect(arraysMadeBy(steps.slice(0, assembling + 1), arrays)).toEqual(arrays);
});
