import { describe, expect, test } from "vitest";
import { assertSameSectors } from "../../installer/disk-sectors.ts";
import { judgeDisks } from "../../installer/judge-disks.ts";
import { selectDisks } from "../../installer/select-disks.ts";
import { sampleDisk, sampleHardware, sampleJob } from "./samples.ts";

const minimum = 2 ** 30;
type Disks = ReturnType<typeof sampleDisk>[];
const choose = (disks: Disks, wanted: object, job: object = {}) =>
  selectDisks(sampleJob({ disks: wanted, ...job }), sampleHardware({ disks }), minimum);
const select = (disks: Disks, wanted: object, job: object = {}) =>
  choose(disks, wanted, job).flatMap((group) => group.disks.map(({ serial }) => serial));

const [a, b, c] = [sampleDisk("a"), sampleDisk("b"), sampleDisk("c")];
const rescue = sampleDisk("r", { heldBy: ["/dev/sdr1 is mounted on /"], holdsRunningSystem: true });
const liveMedium = sampleDisk("l", { holdsRunningSystem: true });
const mounted = sampleDisk("m", { heldBy: ["/dev/sdm1 is mounted on /data"] });
const unseen = sampleDisk("u", { heldBy: ["something that does not show here"], heldOutOfSight: true });
const spinning = (letter: string) => sampleDisk(letter, { rotational: true });

test("takes what matches, and only that", () => {
  expect(choose([a, b], { count: 2 })).toEqual([{ name: "system", disks: [a, b] }]);
  expect(select([a, b, c], { count: 2, match: { serial: ["A", "C"] } })).toEqual(["A", "C"]);
  expect(select([a, spinning("b")], { count: 1, match: { rotational: false } })).toEqual(["A"]);
  expect(select([a, sampleDisk("b", { sizeBytes: 4e12 })], { count: 1, match: { size: ">= 1 TB" } })).toEqual(["B"]);
});

test("the order is that of the stable paths, whatever order the kernel found the disks in", () => {
  expect(select([c, a, b], { count: 3 })).toEqual(["A", "B", "C"]);
});

test("goes around the disk that the rescue system runs from, and busy ones, where others suffice", () => {
  expect(select([a, b, rescue, liveMedium, mounted, unseen], { count: 2 })).toEqual(["A", "B"]);
});

describe("groups", () => {
  const disks = [a, b, spinning("h"), spinning("i"), spinning("j")];
  const system = { count: 2, match: { rotational: false } };

  test("the system's first, each with its own disks", () => {
    const groups = choose(disks, { backup: { count: 3, match: { rotational: true } }, system });
    expect(groups.map(({ name, disks: own }) => [name, own.map(({ serial }) => serial).join("")])).toEqual([
      ["system", "AB"],
      ["backup", "HIJ"],
    ]);
  });

  test("that could have the same disk are told apart by their counts", () => {
    expect(select(disks, { system, backup: { count: 3 } })).toEqual(["A", "B", "H", "I", "J"]);
  });

  test("data disks may be smaller than the image needs", () => {
    const small = sampleDisk("s", { sizeBytes: minimum / 2, rotational: true });
    expect(select([a, small], { system: { count: 1 }, backup: { count: 1 } })).toEqual(["A", "S"]);
  });

  test.each([
    ["disks-ambiguous", { system, backup: { count: 2 } }, /2 disk\(s\) for system and 2 disk\(s\) for backup: 5 match/],
    ["disks-too-few", { system, backup: { count: 4 } }, /1 for backup too few/],
    ["disks-too-few", { system, backup: { count: 4, match: { rotational: true } } }, /4 disk\(s\) for backup: 3 can/],
  ])("%s", (code, wanted, message) => {
    const expected = expect.objectContaining({ code, message: expect.stringMatching(message) });
    expect(() => choose(disks, wanted)).toThrow(expected);
  });
});

describe("disks that are to be taken apart", () => {
  const job = { wipe: { held: "take-apart" } };
  test("may be held", () => expect(select([a, mounted], { count: 2 }, job)).toEqual(["A", "M"]));
  test.each([
    ["disk-holds-running-system", rescue],
    ["disk-holds-running-system", liveMedium],
    ["disk-held", unseen],
  ])("but not by the running system, nor by what does not show: %s", (code, disk) => {
    expect(() => select([a, disk], { count: 2 }, job)).toThrow(expect.objectContaining({ code, kind: "refused" }));
  });
});

describe("one disk that is there twice", () => {
  const path = sampleDisk("x", { serial: "A", wwn: "0x5000c500a1b2c3d4" });
  test.each([
    ["by its serial number", [path, sampleDisk("y", { serial: "A", wwn: "0x5000c500a1b2c3d4" })]],
    ["by its serial number alone", [path, sampleDisk("y", { serial: "A" })]],
    ["by its stable name", [a, sampleDisk("y", { path: a.path, serial: "" })]],
  ])("%s", (_name, disks) => {
    const refusal = { code: "disk-duplicate", kind: "refused", message: expect.stringMatching(/there twice/) };
    expect(() => select(disks, { count: 2 })).toThrow(expect.objectContaining(refusal));
    expect(() => select(disks, { count: 1 })).toThrow(expect.objectContaining(refusal));
  });
  test("is not one drive with several namespaces", () => {
    const namespace = (letter: string, wwn: string) => sampleDisk(letter, { serial: "S1", wwn });
    expect(select([namespace("a", "eui.01"), namespace("b", "eui.02")], { count: 2 })).toEqual(["S1", "S1"]);
  });
});

test.each([
  ["disks-too-few", [a], { count: 2 }, /1 can be used/],
  ["disks-too-few", [a, b], { count: 2, match: { model: "OTHER" } }, /model is "SAMPLE"/],
  ["disks-ambiguous", [a, b, c], { count: 2 }, /3 match/],
  ["disk-holds-running-system", [a, rescue], { count: 2 }, /mounted on \//],
  ["disk-holds-running-system", [a, liveMedium], { count: 2 }, /the running system lives on it/],
  ["disk-held", [a, mounted], { count: 2 }, /\/dev\/sdm1 is mounted on \/data/],
  ["disk-too-small", [a, sampleDisk("b", { sizeBytes: 1e6 })], { count: 2 }, /1\.0 GiB are needed/],
  ["disk-read-only", [a, sampleDisk("b", { readOnly: true })], { count: 2 }, /read-only/],
  ["disk-faulty", [a, sampleDisk("b", { fault: "it cannot be opened (EIO)" })], { count: 2 }, /EIO/],
  ["disk-unnamed", [a, sampleDisk("b", { path: "/dev/sdb", links: [] })], { count: 2 }, /no name in \/dev\/disk/],
])("%s", (code, disks, wanted, message) => {
  const expected = expect.objectContaining({ code, message: expect.stringMatching(message), hint: expect.any(String) });
  expect(() => select(disks, wanted)).toThrow(expected);
});

test("refusals name disks by their stable names, and stay one readable line on a server of sixty disks", () => {
  const many = Array.from({ length: 60 }, (_, index) => sampleDisk(`x${index}`));
  const message = (attempt: () => unknown) => {
    try {
      attempt();
    } catch (error) {
      return String(error);
    }
    throw new Error("nothing was refused");
  };
  expect(message(() => select([a, b, c], { count: 2 }))).not.toContain("/dev/sd");
  expect(message(() => select(many, { count: 2 }))).toMatch(/60 match: .*; and 48 more$/);
});

test("a verdict says which group could have a disk, or why none can", () => {
  const wanted = { system: { count: 1, match: { rotational: false } }, backup: { count: 1, match: { serial: "B" } } };
  const verdicts = judgeDisks(sampleJob({ disks: wanted }), sampleHardware({ disks: [a, b, spinning("h")] }), minimum);
  expect(verdicts.map(({ groups }) => groups)).toEqual([["system"], ["system", "backup"], []]);
  expect(verdicts[2]?.objection).toEqual({
    obstacle: "no-match",
    reason: 'system: rotational is true; backup: serial is "H", not = "b"',
  });
});

test("an array over disks of different sector sizes is refused", () => {
  const native = sampleDisk("n", { logicalSectorBytes: 4096 });
  expect(() => assertSameSectors([native, native], "root")).not.toThrow();
  expect(() => assertSameSectors([a, native], "root")).toThrow(
    expect.objectContaining({
      code: "disk-sectors-mixed",
      message: expect.stringMatching(/array root: .*SAMPLE_A has 512, .*SAMPLE_N has 4096/),
    }),
  );
});
