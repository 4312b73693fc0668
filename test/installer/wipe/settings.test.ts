import { expect, test } from "vitest";
import { sampleJob } from "../samples.ts";

test("a job that says nothing has signatures removed from disks that are free", () => {
  expect(sampleJob().wipe).toEqual({ depth: "signatures", held: "refuse" });
  expect(sampleJob({ wipe: { held: "take-apart" } }).wipe).toEqual({ depth: "signatures", held: "take-apart" });
});

test.each([[{ depth: "quick" }], [{ held: true }], [{ force: true }], ["zero"]])("%j is refused", (wipe) => {
  expect(() => sampleJob({ wipe })).toThrow(expect.objectContaining({ code: "job-invalid" }));
});
