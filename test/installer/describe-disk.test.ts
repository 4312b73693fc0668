import { expect, test } from "vitest";
import type { BlockDevice } from "../../installer/block-device.ts";
import { findPoolMounts } from "../../installer/btrfs-pools.ts";
import { type Claim, describeDisk, type Surroundings } from "../../installer/describe-disk.ts";
import { compareLinks } from "../../installer/disk-links.ts";

function device(path: string, overrides: Partial<BlockDevice> = {}): BlockDevice {
  return {
    path,
    number: path,
    type: "disk",
    sizeBytes: 2 ** 33,
    logicalSectorBytes: 512,
    model: "M",
    vendor: "V",
    serial: "S",
    wwn: "",
    hctl: "",
    transport: "sata",
    rotational: false,
    readOnly: false,
    label: "",
    tableUuid: "",
    mountPoints: [],
    children: [],
    ...overrides,
  };
}
const part = (path: string, overrides: Partial<BlockDevice> = {}) => device(path, { type: "part", ...overrides });

function describeIt(disk: BlockDevice, claim: Claim = "free", overrides: Partial<Surroundings> = {}) {
  const runningSystem = { deviceNumbers: new Set<string>(), isComplete: true };
  return describeDisk(disk, claim, { links: new Map(), runningSystem, poolMounts: new Map(), ...overrides });
}

test("what holds a disk is told layer by layer", () => {
  const array = device("/dev/md0", { type: "raid1", mountPoints: ["/data", "[SWAP]"] });
  const disk = device("/dev/sda", { children: [part("/dev/sda1", { children: [array] }), part("/dev/sda2")] });
  expect(describeIt(disk, "held")).toMatchObject({
    heldBy: ["/dev/md0 (raid1) is active on it", "/dev/md0 is mounted on /data", "/dev/md0 is used as swap"],
    heldOutOfSight: false,
    holdsRunningSystem: false,
    partitions: ["/dev/sda1", "/dev/sda2"],
  });
});

test("a disk that the kernel holds for nothing that shows", () => {
  const disk = device("/dev/sda");
  expect(describeIt(disk, "held")).toMatchObject({ heldOutOfSight: true, holdsRunningSystem: false });
  const runningSystem = { deviceNumbers: new Set<string>(), isComplete: false };
  expect(describeIt(disk, "held", { runningSystem }).holdsRunningSystem).toBe(true);
  expect(describeIt(disk, "free", { runningSystem }).holdsRunningSystem).toBe(false);
});

test("the running system's disk is found below any layer", () => {
  const volume = device("/dev/dm-0", { type: "lvm" });
  const disk = device("/dev/sda", { children: [part("/dev/sda1", { children: [volume] })] });
  const runningSystem = { deviceNumbers: new Set(["/dev/dm-0"]), isComplete: true };
  expect(describeIt(disk, "held", { runningSystem }).holdsRunningSystem).toBe(true);
});

test("the further disks of a mounted btrfs are held", () => {
  const [first, second] = [device("/dev/sda", { mountPoints: ["/data"] }), device("/dev/sdb")];
  const poolMounts = findPoolMounts([["/dev/sda", "/dev/sdb"]], [first, second]);
  expect(describeIt(second, "held", { poolMounts })).toMatchObject({
    heldBy: ["/dev/sdb is part of the btrfs mounted on /data"],
    heldOutOfSight: false,
  });
  expect(describeIt(first, "held", { poolMounts }).heldBy).toEqual(["/dev/sda is mounted on /data"]);
});

test("a disk that cannot be opened is listed as such", () => {
  expect(describeIt(device("/dev/sda"), { fault: "it cannot be opened (EIO)" })).toMatchObject({
    fault: "it cannot be opened (EIO)",
    heldBy: [],
  });
});

test("old config drives show, however they are spelled", () => {
  const children = [part("/dev/sda1", { label: "CONFIG-2" }), part("/dev/sda2", { label: "root" })];
  expect(describeIt(device("/dev/sda", { children })).configDriveLabels).toEqual(["/dev/sda1"]);
  expect(describeIt(device("/dev/sdb", { label: "config-2" })).configDriveLabels).toEqual(["/dev/sdb"]);
});

test("a disk goes by the name that says most, and by its slot where it has no other", () => {
  const links = [
    "/dev/disk/by-path/pci-0000:00:1f.2-ata-1",
    "/dev/disk/by-id/wwn-0x5000c500a1b2c3d4",
    "/dev/disk/by-id/nvme-eui.0025385b01234567",
    "/dev/disk/by-id/md-name-x",
    "/dev/disk/by-id/ata-M_S",
    "/dev/disk/by-id/nvme-M_S",
  ].sort(compareLinks);
  expect(links).toEqual([
    "/dev/disk/by-id/nvme-M_S",
    "/dev/disk/by-id/ata-M_S",
    "/dev/disk/by-id/wwn-0x5000c500a1b2c3d4",
    "/dev/disk/by-id/nvme-eui.0025385b01234567",
    "/dev/disk/by-id/md-name-x",
    "/dev/disk/by-path/pci-0000:00:1f.2-ata-1",
  ]);
  expect(describeIt(device("/dev/sda"), "free", { links: new Map([["/dev/sda", links]]) }).path).toBe(links[0]);
  expect(describeIt(device("/dev/sda")).path).toBe("/dev/sda");
});
