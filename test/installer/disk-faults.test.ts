import { expect, test } from "vitest";
import { findComplaint } from "../../installer/disk-faults.ts";

/** As Linux 6.1 words them. */
const log = [
  "sd 2:0:0:1: [sdb] Attached SCSI disk",
  "EXT4-fs (sdb4): mounted filesystem with ordered data mode. Quota mode: none.",
  "operation not supported error, dev sdb, sector 0 op 0x9:(WRITE_ZEROES) flags 0x8000800 phys_seg 0 prio class 2",
  "EXT4-fs (sdb4): re-mounted. Opts: errors=remount-ro",
  "sd 2:0:0:0: [sda] tag#0 FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_OK cmd_age=0s",
  "sd 2:0:0:0: [sda] tag#0 Sense Key : Medium Error [current]",
  "I/O error, dev sda, sector 2048 op 0x1:(WRITE) flags 0x800 phys_seg 1 prio class 2",
  "Buffer I/O error on dev sdaa1, logical block 0, lost async page write",
  "md/raid1:md127: Disk failure on sdc4, disabling device.",
  "critical medium error, dev nvme0n1, sector 8 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2",
  "Buffer I/O error on dev nvme1n1p2, logical block 16, async page read",
];

test.each([
  ["sda", "I/O error, dev sda, sector 2048 op 0x1:(WRITE) flags 0x800 phys_seg 1 prio class 2"],
  ["sdaa", "Buffer I/O error on dev sdaa1, logical block 0, lost async page write"],
  ["sdc", "md/raid1:md127: Disk failure on sdc4, disabling device."],
  ["nvme0n1", "critical medium error, dev nvme0n1, sector 8 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2"],
  ["nvme1n1", "Buffer I/O error on dev nvme1n1p2, logical block 16, async page read"],
  // Neither what is said of its being mounted nor what is said of other disks.
  ["sdd", undefined],
  ["nvme1n", undefined],
])("what the kernel complains of: %s", (name, complaint) => {
  expect(findComplaint(name, log)).toBe(complaint);
});

test("neither are mount options nor what the drive does not know", () => {
  expect(findComplaint("sdb", log)).toBeUndefined();
});
