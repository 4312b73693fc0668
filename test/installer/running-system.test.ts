import { describe, expect, test } from "vitest";
import { parseMountTable } from "../../common/mount-table.ts";
import { findRunningSystem, layersOf, type SystemView } from "../../installer/running-system.ts";

const devices = {
  "/dev/sda1": "8:1",
  "/dev/sdb1": "8:17",
  "/dev/sdc1": "8:33",
  "/dev/loop0": "7:0",
  "/dev/md0": "9:0",
};

function find(mounts: string, rest: Partial<Record<"loops" | "layers", Record<string, string>>> & Partial<SystemView>) {
  const { loops = {}, layers = {}, ...others } = rest;
  const { deviceNumbers, isComplete } = findRunningSystem({
    mounts: parseMountTable(mounts),
    rootNumbers: [],
    layerNumbers: new Map(Object.entries(layers)),
    loopNumbers: new Map(Object.entries(loops)),
    deviceNumbers: new Map(Object.entries(devices)),
    pools: [],
    ...others,
  });
  return { found: [...deviceNumbers].sort(), isComplete };
}

describe("the running system lies on", () => {
  test("a partition, or whatever block device its file systems are on", () => {
    const mounts = "1 0 8:1 / / rw - ext4 /dev/root rw\n2 1 9:0 / /usr rw - xfs /dev/md0 rw\n";
    expect(find(mounts, { rootNumbers: ["8:1", "9:0"] })).toEqual({ found: ["8:1", "9:0"], isComplete: true });
  });

  test("all disks of a btrfs, whose files have a number of no device", () => {
    const mounts = "1 0 0:33 /@root / rw - btrfs /dev/sda1 rw,subvol=/@root\n";
    const pools = [["8:1", "8:17"]];
    expect(find(mounts, { rootNumbers: ["0:33"], pools })).toEqual({ found: ["8:1", "8:17"], isComplete: true });
  });

  test("the medium with the squashfs below a live system's overlay", () => {
    const mounts = `20 1 8:17 / /run/live/medium ro - iso9660 /dev/sdb1 ro
21 1 7:0 / /run/live/rootfs/filesystem.squashfs ro - squashfs /dev/loop0 ro
22 1 0:40 / /run/live/overlay rw - tmpfs tmpfs rw
23 1 0:41 / / rw - overlay overlay rw,lowerdir=/run/live/rootfs/filesystem.squashfs/,upperdir=/run/live/overlay/rw
30 1 8:33 / /data rw - ext4 /dev/sdc1 rw
`;
    const layers = { "/run/live/rootfs/filesystem.squashfs/": "7:0", "/run/live/overlay/rw": "0:40" };
    expect(find(mounts, { rootNumbers: ["0:41"], loops: { "7:0": "8:17" }, layers })).toEqual({
      found: ["7:0", "8:17"],
      isComplete: true,
    });
  });

  test("a partition that keeps the overlay's changes", () => {
    const mounts = `21 1 7:0 / /lower ro - squashfs /dev/loop0 ro
22 1 8:1 / /keep rw - ext4 /dev/sda1 rw
23 1 0:41 / / rw - overlay overlay rw,lowerdir=/lower,upperdir=/keep/up
`;
    const layers = { "/lower": "7:0", "/keep/up": "8:1" };
    expect(find(mounts, { rootNumbers: ["0:41"], loops: { "7:0": "0:2" }, layers }).found).toEqual(["7:0", "8:1"]);
  });

  test("no disk where it came over the network or lives in memory", () => {
    const mounts = "1 0 0:2 / / rw - rootfs rootfs rw\n2 1 0:50 / /usr ro - nfs4 server:/usr ro\n";
    expect(find(mounts, { rootNumbers: ["0:2", "0:50"] })).toEqual({ found: [], isComplete: true });
  });
});

describe("where the initramfs took the layers' paths with it", () => {
  const mounts = `20 1 8:17 / /cdrom ro - iso9660 /dev/sdb1 ro
23 1 0:41 / / rw - overlay /cow rw,lowerdir=/installer.squashfs:/minimal.squashfs,upperdir=/cow/upper
30 1 8:33 / /data rw - ext4 /dev/sdc1 rw
`;
  test("what was mounted before the root is its own, what came later is not", () => {
    expect(find(mounts, { rootNumbers: ["0:41"] })).toEqual({ found: ["8:17"], isComplete: false });
  });
  test("what lies beneath loop devices is its own", () => {
    const { found } = find(mounts, { rootNumbers: ["0:41"], loops: { "7:0": "8:33" } });
    expect(found).toEqual(["8:17", "8:33"]);
  });
  test("a path that now leads back to the overlay itself is no answer", () => {
    const layers = { "/installer.squashfs": "0:41", "/minimal.squashfs": "0:41", "/cow/upper": "0:41" };
    expect(find(mounts, { rootNumbers: ["0:41"], layers }).isComplete).toBe(false);
  });
  test("a file system that does not say what it lies on", () => {
    const zfs = "5 1 0:60 / / rw - zfs rpool/ROOT/debian rw\n";
    expect(find(zfs, { rootNumbers: ["0:60"] }).isComplete).toBe(false);
  });
});

test("layers are told apart by colons, but those in a path", () => {
  const [mount] = parseMountTable(
    "1 0 0:1 / / rw - overlay o lowerdir=/a\\134:b:/c::/data,lowerdir+=/d,upperdir=/e,workdir=/f",
  );
  expect(mount && layersOf(mount)).toEqual(["/a:b", "/c", "/data", "/d", "/e"]);
});
