import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Failure } from "../../../common/failure.ts";
import { described } from "../../../factory/disk/file-system.ts";
import { findDevice } from "../../../factory/disk/find-device.ts";
import { parseFstab } from "../../../factory/disk/fstab.ts";
import type { Volume } from "../../../factory/disk/volume.ts";

describe("fstab", () => {
  it("has the mounts of file systems on disks, escapes and quotes undone", () => {
    const text = [
      "# a comment",
      "",
      '  UUID="ABCD-0123"\\t/boot/efi\\tvfat  umask=0077,shortname=winnt 0 2',
      "LABEL=my\\\\040disk /with\\\\040blank\\\\134 ext4",
      "/dev/sda2 none swap sw 0 0",
      "tmpfs /tmp tmpfs defaults 0 0",
      "proc /proc proc defaults 0 0",
      "server:/x /nfs nfs4 defaults 0 0",
      "/dev/sda3",
    ].join("\n");
    expect(parseFstab(text.replaceAll("\\t", "\t").replaceAll("\\\\", "\\"))).toEqual([
      { device: "UUID=ABCD-0123", mountPoint: "/boot/efi", type: "vfat", options: ["umask=0077", "shortname=winnt"] },
      { device: "LABEL=my disk", mountPoint: "/with blank\\", type: "ext4", options: [""] },
    ]);
  });

  it("is parsed or refused with a typed failure, whatever its text", () => {
    const word = fc.constantFrom("/", " ", "\t", "\n", "#", "\\040", "\\", "UUID=", '"', "ext4", ",", "\0", "..", "x");
    fc.assert(
      fc.property(fc.array(word, { maxLength: 2000 }), (words) => {
        try {
          for (const { mountPoint } of parseFstab(words.join(""))) expect(mountPoint).toMatch(/^\//);
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
        }
      }),
    );
  });

  it.each(["/dev/sda1 /x ext4\n".repeat(201), "#".repeat(300_000)])("is refused where it is too long", (text) => {
    expect(() => parseFstab(text)).toThrow(expect.objectContaining({ code: "fstab-too-long", kind: "integrity" }));
  });
});

describe("a device's name", () => {
  const partition = { type: "", attributeBits: [], offsetBytes: 0, sizeBytes: 1 };
  const volumes: Volume[] = [
    {
      name: "partition 3",
      sizeBytes: 1,
      fileSystem: described("ext4", { uuid: "aaaa-bbbb", label: "a label/x" }),
      partition: { ...partition, number: 3, name: "part", uuid: "cccc" },
      pieces: [],
    },
    {
      name: "partition 4",
      sizeBytes: 1,
      fileSystem: described("lvm2"),
      partition: { ...partition, number: 4, name: "", uuid: "" },
      pieces: [],
    },
    {
      name: "vg-x/root.0",
      sizeBytes: 1,
      fileSystem: described("xfs", { uuid: "dddd", label: "twice" }),
      logical: { name: "vg-x/root.0", sizeBytes: 1, extents: [] },
      pieces: [],
    },
    {
      name: "vg-x/a-b",
      sizeBytes: 1,
      fileSystem: described("ext4", { label: "twice" }),
      pieces: [],
      logical: { name: "vg-x/a-b", sizeBytes: 1, extents: [] },
    },
  ];

  it.each([
    ["UUID=AAAA-BBBB", "partition 3"],
    ["LABEL=a label/x", "partition 3"],
    ["PARTUUID=CCCC", "partition 3"],
    ["PARTLABEL=part", "partition 3"],
    ["/dev/disk/by-uuid/aaaa-bbbb", "partition 3"],
    ["/dev/disk/by-label/a\\x20label\\x2fx", "partition 3"],
    ["/dev/disk/by-partuuid/cccc", "partition 3"],
    ["/dev/disk/by-partlabel/part", "partition 3"],
    ["/dev/vda3", "partition 3"],
    ["/dev/nvme0n1p3", "partition 3"],
    ["/dev/xvda4", "partition 4"],
    ["/dev/vg-x/root.0", "vg-x/root.0"],
    ["/dev/mapper/vg--x-root.0", "vg-x/root.0"],
    ["/dev/mapper/vg--x-a--b", "vg-x/a-b"],
    ["UUID=dddd", "vg-x/root.0"],
  ])("%s is found", (device, name) => {
    expect(findDevice(volumes, device)?.name).toBe(name);
  });

  it.each([
    "LABEL=twice",
    "UUID=",
    "LABEL=",
    "LABEL=PART",
    "/dev/vdb3",
    "/dev/sda33",
    "/dev/sda",
    "/dev/mapper/vg-x-a-b",
    "",
  ])("%s is not: there is none, or more than one", (device) => {
    expect(findDevice(volumes, device)).toBeUndefined();
  });

  it("of a disk without partitions is the disk's", () => {
    const disk: Volume = {
      name: "disk",
      sizeBytes: 1,
      fileSystem: described("ext4"),
      pieces: [],
      partition: { ...partition, number: 0, name: "", uuid: "" },
    };
    expect(findDevice([disk], "/dev/vda")).toBe(disk);
    expect(findDevice([disk], "/dev/nvme0n1")).toBe(disk);
    expect(findDevice([disk], "/dev/vda1")).toBeUndefined();
  });
});
