import { expect, test } from "vitest";
import { labelDisk, labelDisks } from "../../installer/label-disk.ts";
import { sampleDisk } from "./samples.ts";

test.each([
  ["ata-SAMPLE_A (8.0 GiB)", {}],
  ["ata-SAMPLE_DISK_A (8.0 GiB)", { path: "/dev/disk/by-id/ata-SAMPLE_DISK_A", model: "SAMPLE DISK" }],
  ["wwn-0x5000c500a1b2c3d4 (8.0 GiB, SAMPLE, serial A)", { path: "/dev/disk/by-id/wwn-0x5000c500a1b2c3d4" }],
  [
    "by-path/pci-0000:00:1f.2-ata-1 (8.0 GiB)",
    { path: "/dev/disk/by-path/pci-0000:00:1f.2-ata-1", model: "", serial: "" },
  ],
])("%s", (label, disk) => {
  expect(labelDisk(sampleDisk("a", disk))).toBe(label);
});

test("two disks are named in a title, more are counted", () => {
  const disks = ["a", "b", "c"].map((letter) => sampleDisk(letter));
  expect(labelDisks(disks.slice(0, 2))).toBe("ata-SAMPLE_A (8.0 GiB) and ata-SAMPLE_B (8.0 GiB)");
  expect(labelDisks(disks)).toBe("3 disks");
});
