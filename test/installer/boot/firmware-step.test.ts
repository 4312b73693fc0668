import { expect, test } from "vitest";
import { describeCommands } from "../../../installer/describe-plan.ts";
import { plan } from "../../../installer/plan.ts";
import { sampleHardware, sampleImage, sampleJob } from "../samples.ts";

const stepOf = (job: object) => {
  const made = plan(sampleJob(job as Record<string, unknown>), sampleHardware(), sampleImage());
  const step = made.steps.find(({ kind }) => kind === "firmware-entries");
  if (step?.kind !== "firmware-entries") throw new Error("the plan has no such step");
  return { made, step };
};

test("every system disk gets an entry, found by its partition's UUID; the network keeps its place by default", () => {
  const { made, step } = stepOf({});
  expect(step.bootOrder).toBe("keep-network-first");
  expect(step.entries.map(({ label, partition, loader }) => [label, partition, loader])).toEqual([
    ["Debian GNU/Linux (disk 1)", 2, "\\EFI\\debian\\shimx64.efi"],
    ["Debian GNU/Linux (disk 2)", 2, "\\EFI\\debian\\shimx64.efi"],
  ]);
  for (const { partitionUuid } of step.entries) expect(describeCommands(made)).toContain(`:${partitionUuid} `);
});

test.each(["disk-first", "leave"])("bootOrder: %s", (bootOrder) => {
  expect(stepOf({ bootOrder }).step.bootOrder).toBe(bootOrder);
});

test("another order is no order", () => {
  expect(() => sampleJob({ bootOrder: "network-only" })).toThrow(/bootOrder: /);
});
