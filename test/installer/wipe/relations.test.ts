import { expect, test } from "vitest";
import { devicesOn, disksBelow, liesWithin, stablePath } from "../../../installer/wipe/relations.ts";
import { sampleDevice as device } from "../samples.ts";

const stack = [
  device("/dev/sda", "disk", []),
  device("/dev/sda1", "partition", ["/dev/sda"]),
  device("/dev/sdb", "disk", []),
  device("/dev/md0", "array", ["/dev/sda1", "/dev/sdb"]),
  device("/dev/dm-0", "mapping", ["/dev/md0"]),
  device("/dev/dm-1", "mapping", ["/dev/sda1"]),
];

test("knows the disks below, through every layer", () => {
  expect(disksBelow(stack, "/dev/dm-0")).toEqual(["/dev/sda", "/dev/sdb"]);
  expect(disksBelow(stack, "/dev/dm-1")).toEqual(["/dev/sda"]);
  expect(disksBelow(stack, "/dev/sdb")).toEqual(["/dev/sdb"]);
  expect(disksBelow(stack, "/dev/nowhere")).toEqual([]);
});

test("lists what lies on a disk from the top", () => {
  expect(devicesOn(stack, ["/dev/sda"]).map(({ name }) => name)).toEqual([
    "/dev/dm-0",
    "/dev/dm-1",
    "/dev/md0",
    "/dev/sda1",
    "/dev/sda",
  ]);
});

test("what lies on no known disk lies within none", () => {
  expect(liesWithin(stack, "/dev/dm-0", ["/dev/sda", "/dev/sdb"])).toBe(true);
  expect(liesWithin(stack, "/dev/dm-0", ["/dev/sda"])).toBe(false);
  expect(liesWithin(stack, "/dev/nowhere", ["/dev/sda"])).toBe(false);
});

test("a stack that was read while it changed may show a ring, and is walked once", () => {
  const ring = [
    ...stack,
    device("/dev/dm-8", "mapping", ["/dev/dm-9", "/dev/sda"]),
    device("/dev/dm-9", "mapping", ["/dev/dm-8"]),
  ];
  expect(disksBelow(ring, "/dev/dm-9")).toEqual(["/dev/sda"]);
  expect(devicesOn(ring, ["/dev/sda"])).toHaveLength(7);
});

test("only links of the disk itself name a partition for good", () => {
  const disk = { name: "/dev/sda", path: "/dev/disk/by-id/ata-A" };
  const links = ["/dev/disk/by-id/ata-A-part1", "/dev/disk/by-id/lvm-pv-uuid-X"];
  expect(stablePath(device("/dev/sda1", "partition", ["/dev/sda"], { links }), [disk])).toBe(links[0]);
  expect(stablePath(device("/dev/sda1", "partition", ["/dev/sda"], { links: links.slice(1) }), [disk])).toBe(
    "/dev/sda1",
  );
  expect(stablePath(device("/dev/sda", "disk", []), [disk])).toBe(disk.path);
  expect(stablePath(device("/dev/md0", "array", ["/dev/sda"]), [disk])).toBe("/dev/md0");
});
