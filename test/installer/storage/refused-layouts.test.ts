import { describe, expect, test } from "vitest";
import { Secret } from "../../../common/secret.ts";
import { fullLayout, layOut } from "../../../installer/storage/layout.ts";
import { storageSchema } from "../../../installer/storage/storage-schema.ts";
import { sampleDisk } from "../samples.ts";
import { instanceUuid, lay, type Machine, mebibyte } from "./lay-on-machine.ts";

const root = { on: "root", type: "ext4", mount: "/" };
const onePartition = [{ name: "root", size: "rest" }];
const members = [{ name: "members", size: "rest" }];

describe("a layout is refused with the reason", () => {
  test.each<[string, RegExp, object, Machine]>([
    [
      "no /",
      /nothing is mounted on \//,
      { partitions: onePartition, filesystems: [{ ...root, mount: "/srv" }] },
      { system: 1 },
    ],
    [
      "one name for two disks",
      /root stands for partitions of 2 disks/,
      { partitions: onePartition, filesystems: [root] },
      {},
    ],
    [
      "rest twice",
      /root and data both take the rest/,
      { partitions: [...onePartition, { name: "data", size: "rest" }], filesystems: [root] },
      { system: 1 },
    ],
    [
      "more than 100 percent",
      /come to 120%/,
      { partitions: ["root", "data"].map((name) => ({ name, size: "60%" })), filesystems: [root] },
      { system: 1 },
    ],
    [
      "larger than the disk",
      /root need 1048576 MiB on ata-SAMPLE_A \(20\.0 GiB\)/,
      { partitions: [{ name: "root", size: "1 TiB" }], filesystems: [root] },
      { system: 1 },
    ],
    [
      "an unknown name",
      /there is no boot/,
      { partitions: onePartition, filesystems: [root, { ...root, on: "boot" }] },
      { system: 1 },
    ],
    [
      "an unknown member",
      /root is on nothing, which there is not/,
      { partitions: members, raid: [{ name: "root", level: 1, on: "nothing" }], filesystems: [root] },
      {},
    ],
    [
      "a circle",
      /stand on each other/,
      {
        partitions: members,
        luks: [{ name: "root", on: "vg0/x", passphrase: new Secret("x") }],
        lvm: [{ name: "vg0", on: ["root"], volumes: ["x", "y"].map((name) => ({ name, size: "40%" })) }],
        filesystems: [{ ...root, on: "vg0/y" }],
      },
      {},
    ],
    [
      "one device used twice",
      /root is used twice/,
      { partitions: onePartition, filesystems: [root, { ...root, mount: "/srv" }] },
      { system: 1 },
    ],
    [
      "a name given twice",
      /the name root is given twice/,
      { partitions: onePartition, raid: [{ name: "root", level: 1, on: "root" }], filesystems: [root] },
      {},
    ],
    [
      "one mount point twice",
      /two file systems are mounted on \//,
      { partitions: [...onePartition, { name: "x", size: "1 GiB" }], filesystems: [root, { ...root, on: "x" }] },
      { system: 1 },
    ],
    [
      "disks that the job does not have",
      /for the disks backup/,
      { partitions: [...onePartition, { name: "x", group: "backup", size: "rest" }], filesystems: [root] },
      { system: 1 },
    ],
    [
      "disks that nothing is on",
      /nothing of the layout is on the disks backup/,
      { partitions: onePartition, filesystems: [root] },
      { system: 1, backup: 1 },
    ],
    [
      "too few members",
      /RAID5 wants at least 3 members, and root has 2 member/,
      { partitions: members, raid: [{ name: "root", level: 5, on: "members" }], filesystems: [root] },
      {},
    ],
    [
      "parity that nobody has written",
      /can't be assumed clean/,
      {
        partitions: members,
        raid: [{ name: "root", level: 5, on: "members", sync: "assume-clean" }],
        filesystems: [root],
      },
      { system: 3 },
    ],
    [
      "two members on one disk",
      /two members of the array root are on one disk/,
      {
        partitions: ["x", "y"].map((name) => ({ name, size: "5 GiB" })),
        raid: [{ name: "root", level: 1, on: ["x", "y"] }],
        filesystems: [root],
      },
      { system: 1 },
    ],
    [
      "/boot on RAID5 under BIOS",
      /\/boot is on root, a RAID5: under BIOS/,
      { partitions: members, raid: [{ name: "root", level: 5, on: "members" }], filesystems: [root] },
      { system: 3 },
    ],
    [
      "/boot inside of LUKS",
      /the boot loader can't open LUKS2/,
      {
        partitions: members,
        luks: [{ name: "root", on: "members", passphrase: new Secret("x") }],
        filesystems: [root],
      },
      { system: 1 },
    ],
    [
      "a key inside of what it opens",
      /the key of root would lie inside of it/,
      {
        partitions: [...members, { name: "boot", size: "1 GiB" }],
        luks: [{ name: "root", on: "members", key: new Secret("x") }],
        filesystems: [root, { on: "boot", type: "ext4", mount: "/boot" }],
      },
      { system: 1 },
    ],
    [
      "XFS that is too small",
      /xfs wants 300 MiB, and root has 200 MiB/,
      { partitions: [{ name: "root", size: "200 MiB" }], filesystems: [{ ...root, type: "xfs" }] },
      { system: 1 },
    ],
    [
      "/ on FAT",
      /\/ can't be vfat/,
      { partitions: onePartition, filesystems: [{ ...root, type: "vfat" }] },
      { system: 1 },
    ],
    [
      "subvolumes of ext4",
      /which only btrfs can/,
      {
        partitions: onePartition,
        filesystems: [{ on: "root", type: "ext4", subvolumes: [{ name: "@", mount: "/" }] }],
      },
      { system: 1 },
    ],
    [
      "more stripes than members",
      /wants 3 stripes, and vg0 has 2 members/,
      {
        partitions: members,
        lvm: [{ name: "vg0", on: "members", volumes: [{ name: "root", size: "rest", stripes: 3 }] }],
        filesystems: [{ ...root, on: "vg0/root" }],
      },
      {},
    ],
    [
      "swap that is mounted",
      /can't be mounted/,
      { partitions: onePartition, filesystems: [{ on: "root", type: "swap", mount: "/" }] },
      { system: 1 },
    ],
    [
      "an array of one ESP",
      /the ESP as a RAID1 wants at least 2 system disks, and there is one/,
      { esp: "raid1", partitions: onePartition, filesystems: [root] },
      { system: 1 },
    ],
    [
      "a speed for what is not left to the first boot",
      /there is none/,
      { preset: "raid1", sync: "create", syncSpeed: "50 MiB" },
      {},
    ],
    ["the same with a preset", /wants at least 2 system disks/, { preset: "single", esp: "raid1" }, { system: 1 }],
  ])("%s", (_name, message, storage, machine) => {
    expect(() => lay(storage, machine)).toThrow(
      expect.objectContaining({
        code: "storage-invalid",
        kind: "configuration",
        message: expect.stringMatching(message),
        hint: expect.any(String),
      }),
    );
  });

  test("but UEFI shows the boot loader all disks", () => {
    const storage = { partitions: members, raid: [{ name: "root", level: 5, on: "members" }], filesystems: [root] };
    expect(lay(storage, { system: 3, firmware: ["uefi"] }).arrays).toHaveLength(1);
  });

  test.each([
    ["in one array", { preset: "raid1" }],
    [
      "whose ESPs are to be one",
      {
        esp: "raid1",
        partitions: members,
        lvm: [{ name: "vg0", on: "members", volumes: [{ name: "root", size: "rest" }] }],
        filesystems: [{ ...root, on: "vg0/root" }],
      },
    ],
  ])("disks with sectors of two sizes %s", (_name, storage) => {
    const groups = [{ name: "system", disks: [sampleDisk("a"), sampleDisk("b", { logicalSectorBytes: 4096 })] }];
    const options = { instanceUuid, hostname: "web-1", firmware: ["uefi" as const], configDriveBytes: mebibyte };
    expect(() => layOut(fullLayout(storageSchema.parse(storage)), groups, options)).toThrow(
      expect.objectContaining({ code: "disk-sectors-mixed" }),
    );
  });
});
