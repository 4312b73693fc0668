import { expect, test } from "vitest";
import { Failure, type FailureKind } from "../../common/failure.ts";
import type { DiskFault } from "../../installer/disk-faults.ts";
import { explainFailure } from "../../installer/explain-failure.ts";

const disk = "/dev/disk/by-id/ata-SAMPLE_A";
const fault: DiskFault = { disk, says: 'the kernel says "I/O error, dev sda"' };

const explain = (error: unknown, faults: readonly DiskFault[] = []) =>
  explainFailure(error, {
    doing: "lay the image",
    watch: { findFaults: async () => [...faults] },
    target: "/run/none",
  });

const failed = (code: string, message: string, kind: FailureKind = "failed") => new Failure({ code, kind, message });

test("a program that could not write: which disk it was, what the kernel says, and what to do", async () => {
  const found = await explain(failed("command-failed", "tar: a: Cannot write: Input/output error"), [fault]);
  expect(found).toMatchObject({ code: "disk-failed", kind: "failed", data: { faults: [fault] } });
  expect(found.message).toBe(`${disk}: ${fault.says}; tar: a: Cannot write: Input/output error`);
  expect(found.hint).toContain(`smartctl --all ${disk}`);
});

test("an array that lost the disk keeps its code", async () => {
  const found = await explain(failed("array-degraded", "the array has lost a member"), [fault]);
  expect(found).toMatchObject({ code: "array-degraded", message: expect.stringContaining(disk) });
});

test.each(["interrupted", "integrity", "retry", "refused", "configuration"] as const)(
  "a failure of kind %s is not the disk's",
  async (kind) => {
    const failure = failed("some-code", "something else", kind);
    expect(await explain(failure, [fault])).toBe(failure);
  },
);

test.each([
  ["a program", failed("command-failed", "tar: ./a: Cannot write: No space left on device")],
  ["Node", Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" })],
])("a full file system, as %s tells it", async (_name, error) => {
  const found = await explain(error);
  expect(found).toMatchObject({ code: "no-space-left", kind: "configuration" });
  expect(found.message).toContain("of the target is full");
});

test("what nothing explains stays as it is", async () => {
  const failure = failed("command-failed", "grub-install: error");
  expect(await explain(failure)).toBe(failure);
});
