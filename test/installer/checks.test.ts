import { expect, test } from "vitest";
import { checkDisk } from "../../installer/checks.ts";
import { identifyDisk } from "../../installer/disk-identity.ts";
import { sampleDisk } from "./samples.ts";

const planned = identifyDisk(sampleDisk("a", { wwn: "0x5000c500a1b2c3d4" }));
const present = (overrides: Parameters<typeof sampleDisk>[1] = {}) => [
  sampleDisk("b"),
  sampleDisk("a", { wwn: "0x5000c500a1b2c3d4", ...overrides }),
];

test("the planned disk is known again, by any of its names", () => {
  checkDisk(planned, "refuse", present());
  checkDisk(planned, "refuse", present({ path: "/dev/disk/by-id/wwn-0x5000c500a1b2c3d4", name: "/dev/sdz" }));
});

test.each([
  ["disk-changed", "it is gone", []],
  ["disk-changed", 'serial is "OTHER", not "A"', present({ serial: "OTHER" })],
  ["disk-changed", 'wwn is "", not "0x5000c500a1b2c3d4"', present({ wwn: "" })],
  ["disk-changed", "sizeBytes is 1, not 8589934592", present({ sizeBytes: 1 })],
  ["disk-changed", "logicalSectorBytes is 4096, not 512", present({ logicalSectorBytes: 4096 })],
  ["disk-held", "/dev/sda1 is mounted on /data", present({ heldBy: ["/dev/sda1 is mounted on /data"] })],
  ["disk-holds-running-system", "the running system lives on it", present({ holdsRunningSystem: true })],
])("%s: %s", (code, reason, disks) => {
  const refusal = { code, kind: "refused", message: expect.stringContaining(reason), hint: expect.any(String) };
  expect(() => checkDisk(planned, "refuse", disks)).toThrow(expect.objectContaining(refusal));
});

test("a disk that is to be taken apart may be held, but by what shows and not by the running system", () => {
  checkDisk(planned, "take-apart", present({ heldBy: ["/dev/sda1 is mounted on /data"] }));
  for (const overrides of [{ heldBy: ["something"], heldOutOfSight: true }, { holdsRunningSystem: true }]) {
    expect(() => checkDisk(planned, "take-apart", present(overrides))).toThrow(/refusing to write/);
  }
});
