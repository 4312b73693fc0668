import { expect, test } from "vitest";
import { formatDisks, formatVerdicts } from "../../installer/disk-tables.ts";
import { weighDisks } from "../../installer/show-disks.ts";
import { sampleDisk, sampleHardware, sampleJob } from "./samples.ts";

const disks = [
  sampleDisk("a"),
  sampleDisk("b", { heldBy: ["/dev/sdb1 is mounted on /data"] }),
  sampleDisk("c", { holdsRunningSystem: true }),
  sampleDisk("d", { fault: "it cannot be opened (EIO)" }),
];
const lastColumn = (table: string) => table.split("\n").map((line) => line.split(/ {2,}/).at(-1));

function weigh(job: object) {
  const { verdicts, outcome } = weighDisks(sampleJob({ ...job }), sampleHardware({ disks }), 2 ** 30);
  const groups = "groups" in outcome ? outcome.groups : undefined;
  return { outcome, column: lastColumn(formatVerdicts(verdicts, groups)) };
}

test("without a job, what holds each disk", () => {
  expect(lastColumn(formatDisks(disks))).toEqual([
    "held by",
    "nothing",
    "/dev/sdb1 is mounted on /data",
    "the running system",
    "it cannot be opened (EIO)",
  ]);
});

test("with a job, what it takes and why not the others", () => {
  const { outcome, column } = weigh({ disks: { count: 1 }, storage: "single" });
  expect(outcome).toEqual({ groups: [{ name: "system", disks: [disks[0]] }] });
  expect(column).toEqual([
    "job",
    "taken for system",
    "no: /dev/sdb1 is mounted on /data",
    "no: the running system lives on it",
    "no: it cannot be opened (EIO)",
  ]);
});

test("what will be taken apart is said", () => {
  const { column } = weigh({ wipe: { held: "take-apart" } });
  expect(column[2]).toBe("taken for system, after taking apart: /dev/sdb1 is mounted on /data");
});

test("a job that cannot have what it wants gets the table all the same, and the reason", () => {
  const { outcome, column } = weigh({ disks: { count: 2 } });
  expect(outcome).toEqual({ failure: expect.objectContaining({ code: "disk-holds-running-system", exitCode: 6 }) });
  expect(column[1]).toBe("could be for system");
});
