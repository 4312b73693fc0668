import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Failure } from "../../../common/failure.ts";
import { Secret } from "../../../common/secret.ts";
import type { Firmware } from "../../../installer/boot/family.ts";
import { chainOf } from "../../../installer/storage/device.ts";
import { featureArguments } from "../../../installer/storage/filesystem-features.ts";
import { type Layout, releaseStep, storageSteps } from "../../../installer/storage/layout.ts";
import { partitionOf } from "../../../installer/storage/partition.ts";
import { storageFiles } from "../../../installer/storage/storage-files.ts";
import { instanceUuid, lay, mebibyte } from "./lay-on-machine.ts";
import { layoutArbitrary } from "./layout-arbitrary.ts";

const features = featureArguments([], { xfs: [], btrfs: [] });

describe("presets", () => {
  test.each([
    ["single", 1, ["/", "/boot/efi"]],
    ["raid1", 2, ["/", "/boot/efi"]],
    ["raid0", 2, ["/", "/boot", "/boot/efi"]],
    ["raid5", 3, ["/", "/boot", "/boot/efi"]],
    ["raid6", 4, ["/", "/boot", "/boot/efi"]],
    ["raid10", 4, ["/", "/boot", "/boot/efi"]],
  ])("%s boots from any of its disks under either firmware", (preset, system, mountPoints) => {
    for (const lvm of [false, true]) {
      const { filesystems, arrays } = lay({ preset, lvm }, { system });
      expect(filesystems.map(({ mountPoint }) => mountPoint)).toEqual(mountPoints);
      const boot = arrays.find(({ name }) => name === "boot");
      if (mountPoints.includes("/boot")) expect(boot).toMatchObject({ level: 1, metadata: "1.0" });
    }
  });

  test("swap in the clear beside an encrypted / is refused", () => {
    const storage = { preset: "raid1", encrypt: { passphrase: new Secret("x") }, swap: "1 GiB" };
    expect(() => lay(storage)).toThrow(/in the clear/);
    expect(lay({ ...storage, lvm: true }).swaps).toHaveLength(1);
  });
});

test("the first synchronization goes at the job's speed, and only where the job says one", () => {
  const rules = (layout: Layout) => storageFiles(layout).filter(({ path }) => path.startsWith("/etc/udev/"));
  expect(rules(lay("raid1"))).toEqual([]);
  const [file] = rules(lay({ preset: "raid1", syncSpeed: "50 MiB" }));
  expect(file && "content" in file && file.content).toMatch(/ATTR\{md\/sync_speed_max\}="51200"\n$/);
});

describe("the ESP as a RAID1", () => {
  test.each([2, 3, 4])("over %i disks is one file system, and firmware finds it on every partition", (system) => {
    const { disks, esps, espArray, arrays, filesystems } = lay({ preset: "raid1", esp: "raid1" }, { system });
    const partitions = disks.map((disk) => partitionOf(disk, "esp"));
    expect(partitions.map(({ typeCode }) => typeCode)).toEqual(disks.map(() => "ef00"));
    expect(espArray).toMatchObject({ level: 1, metadata: "1.0", bitmap: "none", sync: "create" });
    expect(espArray?.members).toEqual(partitions.map(({ path }) => path));
    expect(arrays).toContain(espArray);
    expect(esps).toEqual([expect.objectContaining({ device: espArray?.path, mountPoint: "/boot/efi" })]);
    expect(filesystems).toContain(esps[0]);
    expect(esps[0]?.sizeBytes).toBeLessThan(partitions[0]?.sizeBytes ?? 0);
  });

  test("is there for full layouts, and is made before it is formatted and stopped after it was mounted", () => {
    const storage = {
      esp: "raid1",
      partitions: [{ name: "members", size: "rest" }],
      lvm: [{ name: "vg0", on: "members", volumes: [{ name: "root", size: "rest" }] }],
      filesystems: [{ on: "vg0/root", type: "ext4", mount: "/" }],
    };
    const layout = lay(storage);
    const steps = storageSteps(layout, instanceUuid, "/target", features).map(({ name }) => name);
    expect(steps.indexOf("assemble-esp")).toBeLessThan(steps.indexOf("format-esp"));
    expect(steps.filter((name) => name.startsWith("format-esp"))).toEqual(["format-esp"]);
    const release = releaseStep(layout, "/target");
    expect(release.kind === "commands" && release.commands).toContainEqual(["mdadm", "--stop", "/dev/md/esp"]);
  });

  test("is not what a job gets that does not ask for it", () => {
    expect(lay("raid1")).toMatchObject({ espArray: undefined, esps: [{ name: "esp-1" }, { name: "esp-2" }] });
  });
});

test("a disk of 3 TB with sectors of 4096 bytes is used to its end", () => {
  const { disks } = lay("single", { system: 1, sizeBytes: 3e12, logicalSectorBytes: 4096 });
  const last = disks[0]?.partitions.at(-1);
  const endBytes = (last?.startBytes ?? 0) + (last?.sizeBytes ?? 0);
  expect(3e12 - endBytes).toBeLessThan(4 * mebibyte);
  expect(3e12 - endBytes).toBeGreaterThanOrEqual(33 * 4096);
});

test("whatever the schema accepts is refused with a reason, or fits", () => {
  const machines = fc.record({
    system: fc.constantFrom(1, 2, 2, 3, 4, 5),
    backup: fc.constantFrom(0, 2, 3),
    sizeBytes: fc.integer({ min: 600, max: 6 * 2 ** 20 }).map((mebibytes) => mebibytes * mebibyte + 512),
    logicalSectorBytes: fc.constantFrom(512, 4096),
    firmware: fc.constantFrom<Firmware[]>(["uefi"], ["bios"], ["uefi", "bios"]),
  });
  let laid = 0;
  let laidAsArray = 0;
  fc.assert(
    fc.property(layoutArbitrary, machines, (storage, machine) => {
      let layout: ReturnType<typeof lay>;
      try {
        const usesBackup = storage.partitions.some(({ group }) => group === "backup");
        layout = lay(storage, usesBackup ? machine : { ...machine, backup: 0 });
      } catch (error) {
        expect(error).toBeInstanceOf(Failure);
        expect(["storage-invalid", "disk-sectors-mixed"]).toContain((error as Failure).code);
        return;
      }
      laid += 1;
      laidAsArray += layout.espArray ? 1 : 0;
      for (const { disk, partitions } of [...layout.disks, ...layout.dataDisks]) {
        let endBytes = 34 * disk.logicalSectorBytes;
        for (const { startBytes, sizeBytes } of partitions) {
          expect(startBytes).toBeGreaterThanOrEqual(endBytes);
          expect(startBytes % mebibyte).toBe(0);
          expect(sizeBytes).toBeGreaterThan(0);
          endBytes = startBytes + sizeBytes;
        }
        expect(endBytes).toBeLessThanOrEqual(disk.sizeBytes - 33 * disk.logicalSectorBytes);
      }
      for (const device of layout.rootChain.flatMap(chainOf)) {
        const below = device.below.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
        if (device.below.length > 0) expect(device.sizeBytes).toBeLessThan(below);
      }
      for (const { volumes, members: paths } of layout.volumeGroups) {
        const found = layout.rootChain.find((device) => device.kind === "volume" && device.group.volumes === volumes);
        const room = found?.below.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) ?? Number.POSITIVE_INFINITY;
        expect(volumes.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)).toBeLessThan(room);
        expect(paths.length).toBeGreaterThan(0);
      }
      const steps = [...storageSteps(layout, instanceUuid, "/target", features), releaseStep(layout, "/target")];
      const names = steps.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
    }),
    { numRuns: 1000 },
  );
  // A property that everything refuses would prove nothing.
  expect(laid).toBeGreaterThan(50);
  expect(laidAsArray).toBeGreaterThan(0);
});
