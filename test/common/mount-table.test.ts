import fc from "fast-check";
import { expect, test } from "vitest";
import { parseMountTable } from "../../common/mount-table.ts";

test("reads what the kernel writes", () => {
  const table = `36 35 8:2 / /mnt/a\\040b rw,noatime master:1 shared:2 - ext4 /dev/sda2 rw,errors=remount-ro
37 1 0:30 / / rw - overlay overlay rw,lowerdir=/a\\134:b:/c\\054d,upperdir=/up
`;
  expect(parseMountTable(table)).toEqual([
    {
      id: 36,
      deviceNumber: "8:2",
      mountPoint: "/mnt/a b",
      type: "ext4",
      source: "/dev/sda2",
      options: ["rw", "errors=remount-ro"],
    },
    {
      id: 37,
      deviceNumber: "0:30",
      mountPoint: "/",
      type: "overlay",
      source: "overlay",
      options: ["rw", "lowerdir=/a\\:b:/c,d", "upperdir=/up"],
    },
  ]);
});

test("anything else is left out", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      for (const { deviceNumber, mountPoint, type } of parseMountTable(text)) {
        expect([deviceNumber, mountPoint, type]).not.toContain("");
      }
    }),
  );
});
