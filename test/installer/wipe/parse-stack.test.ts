import { expect, test } from "vitest";
import { parseStack, type RawDevice, type RawStack } from "../../../installer/wipe/parse-stack.ts";

function raw(name: string, kind: RawDevice["kind"], overrides: Partial<RawDevice> = {}): RawDevice {
  return {
    name,
    kind,
    deviceNumber: "0:0",
    sizeBytes: 2 ** 30,
    parent: undefined,
    slaves: [],
    links: [],
    partitionNumber: undefined,
    mappingName: undefined,
    array: undefined,
    signatures: [],
    contentOffset: undefined,
    bcacheStop: undefined,
    erasure: undefined,
    ...overrides,
  };
}

function parse(overrides: Partial<RawStack>) {
  const stack = parseStack({ devices: [], mounts: "", swaps: [], btrfs: [], physicalVolumes: "", ...overrides });
  return new Map(stack.map((device) => [device.name, device]));
}

/** Recorded on a server with LVM on md, and a chroot in it. */
const mounts = `\
24 1 0:21 / / rw,relatime - overlay overlay rw,lowerdir=/base,upperdir=/writable/upper
26 24 0:22 / /proc rw,relatime - proc proc rw
40 24 253:0 / /mnt/old\\040data rw,relatime shared:2 - ext4 /dev/mapper/vg0-root rw
41 40 0:22 / /mnt/old\\040data/proc rw,relatime - proc proc rw
42 24 0:45 /@ /mnt/btrfs rw,relatime - btrfs /dev/sdc rw,space_cache=v2,subvol=/@
43 24 8:17 /sub /mnt/bind rw,relatime - ext4 /dev/sdb1 rw
`;

test("says what lies on what, and what of it is in use", () => {
  const stack = parse({
    devices: [
      raw("sda", "disk"),
      raw("sda1", "partition", { parent: "sda", partitionNumber: 1 }),
      raw("md127", "array", { slaves: ["sda1"], array: { state: "inactive", level: "", metadata: "1.2" } }),
      raw("dm-0", "mapping", { slaves: ["md127"], deviceNumber: "253:0", mappingName: "vg0-root" }),
      raw("sdb1", "partition", { parent: "sdb", deviceNumber: "8:17" }),
    ],
    mounts,
    swaps: ["/dev/sda1", "/mnt/old data/swap", "/mnt/bind/deep/swap", "/mnt/other/swap"],
  });
  expect([...stack.values()].map(({ name, on }) => [name, on])).toEqual([
    ["/dev/sda", []],
    ["/dev/sda1", ["/dev/sda"]],
    ["/dev/md127", ["/dev/sda1"]],
    ["/dev/dm-0", ["/dev/md127"]],
    ["/dev/sdb1", ["/dev/sdb"]],
  ]);
  expect(stack.get("/dev/md127")?.array).toEqual({ state: "inactive", level: "" });
  expect(stack.get("/dev/dm-0")).toMatchObject({ mountPoints: ["/mnt/old data"], swaps: ["/mnt/old data/swap"] });
  expect(stack.get("/dev/sda1")).toMatchObject({ mountPoints: [], swaps: ["/dev/sda1"] });
  expect(stack.get("/dev/sdb1")).toMatchObject({ mountPoints: ["/mnt/bind"], swaps: ["/mnt/bind/deep/swap"] });
});

test("a mounted btrfs is in use on all of its devices", () => {
  const stack = parse({ devices: [raw("sdc", "disk"), raw("sdd", "disk")], mounts, btrfs: [["sdc", "sdd"]] });
  expect([...stack.values()].map(({ mountPoints }) => mountPoints)).toEqual([["/mnt/btrfs"], ["/mnt/btrfs"]]);
});

test("a volume of a firmware RAID lies on its container", () => {
  const array = { state: "clean", level: "raid1", metadata: "external:/md127/0" };
  const stack = parse({ devices: [raw("md126", "array", { slaves: ["sda", "sdb"], array })] });
  expect(stack.get("/dev/md126")?.on).toEqual(["/dev/md127", "/dev/sda", "/dev/sdb"]);
});

test("members are known by what names the whole: arrays, file systems, volume groups", () => {
  const signature = { offset: 4096, label: "", uuid: "" };
  const stack = parse({
    devices: [
      raw("sda", "disk", {
        signatures: [{ ...signature, type: "linux_raid_member", uuid: "7a", label: "host:root" }],
      }),
      raw("sdb", "disk", { signatures: [{ ...signature, type: "btrfs", uuid: "7b" }] }),
      raw("sdc", "disk", { signatures: [{ ...signature, type: "linux_raid_member" }] }),
      raw("sdd", "disk"),
      raw("sde", "disk", { links: ["/dev/disk/by-id/ata-E"] }),
    ],
    physicalVolumes: JSON.stringify({
      report: [
        {
          pv: [
            { pv_name: "/dev/sdd", vg_name: "vg0", vg_uuid: "u-1" },
            { pv_name: "/dev/disk/by-id/ata-E", vg_name: "vg0", vg_uuid: "u-2" },
            { pv_name: "/dev/sda", vg_name: "", vg_uuid: "" },
          ],
        },
      ],
    }),
  });
  expect([...stack.values()].map(({ partOf }) => partOf)).toEqual([
    [{ kind: "array", name: "host:root", uuid: "7a" }],
    [{ kind: "btrfs", name: "7b", uuid: "7b" }],
    [],
    [{ kind: "volume group", name: "vg0", uuid: "u-1" }],
    [{ kind: "volume group", name: "vg0", uuid: "u-2" }],
  ]);
});
