import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { describeCommands, describePlan } from "../../installer/describe-plan.ts";
import { plan } from "../../installer/plan.ts";
import { layOutDisk } from "../../installer/storage/partition.ts";
import { sampleDisk, sampleHardware, sampleImage, sampleJob } from "./samples.ts";

const uuid = "11111111-2222-4333-8444-555555555555";

test("the same job, hardware and image give the same plan, command by command", async () => {
  const job = sampleJob({ instance: { hostname: "web-1", uuid, userData: "#!/bin/sh\necho secret-password\n" } });
  const made = plan(job, sampleHardware(), sampleImage());
  expect(plan(job, sampleHardware(), sampleImage())).toEqual(made);
  await expect(`${describePlan(made)}\n\n${describeCommands(made)}\n`).toMatchFileSnapshot("golden/raid1.txt");
});

test("a plan shows no user data, in no form", () => {
  const job = sampleJob({ instance: { hostname: "web-1", userData: "password: hunter2" } });
  const made = plan(job, sampleHardware(), sampleImage());
  expect(JSON.stringify(made) + describePlan(made) + describeCommands(made)).not.toContain("hunter2");
});

test("the hardware's own identity gives the instance its own", () => {
  const first = plan(sampleJob(), sampleHardware(), sampleImage());
  const other = plan(sampleJob(), sampleHardware({ systemUuid: uuid }), sampleImage());
  expect(first.instanceUuid).not.toBe(other.instanceUuid);
});

test("one disk needs no array", () => {
  const made = plan(
    sampleJob({ disks: { count: 1, match: { serial: "A" } }, storage: "single" }),
    sampleHardware(),
    sampleImage(),
  );
  expect(made.disks).toEqual(["/dev/disk/by-id/ata-SAMPLE_A"]);
  expect(describeCommands(made)).not.toContain("mdadm");
});

describe("the initramfs is rebuilt only where it must be", () => {
  const rebuilds = (job: object, image: object) =>
    plan(sampleJob(job as Record<string, unknown>), sampleHardware(), sampleImage(image)).steps.some(
      ({ name }) => name === "initramfs",
    );
  test("it holds the RAID driver", () => expect(rebuilds({}, {})).toBe(false));
  test("it does not", () => {
    expect(rebuilds({}, { initramfs: { generator: "initramfs-tools", modules: ["nvme"], programs: ["mdadm"] } })).toBe(
      true,
    );
  });
  test("the job says so", () => expect(rebuilds({ initramfs: "rebuild" }, {})).toBe(true));
});

describe("UEFI boot entries are made where there is firmware to hold them", () => {
  const names = (firmware: "uefi" | "bios") =>
    plan(sampleJob(), sampleHardware({ firmware }), sampleImage()).steps.map(({ name }) => name);
  test("uefi", () => expect(names("uefi")).toContain("firmware-entries"));
  test("bios", () => expect(names("bios")).not.toContain("firmware-entries"));
});

test.each([
  ["image-lacks-packages", {}, { preinstalled: ["cloud-init"] }, /lacks mdadm/],
  ["image-lacks-packages", { phoneHome: undefined }, { preinstalled: [] }, /lacks cloud-init, mdadm/],
  [
    "image-lacks-firmware",
    { firmware: "bios" },
    { firmware: { bios: false, uefi: true, secureBoot: true } },
    /no boot loader for bios/,
  ],
  ["family-unknown", {}, { family: "suse" }, /family suse/],
  ["license-missing", {}, { license: "rhsm" }, /needs a license/],
  ["disk-too-small", {}, { minimumDiskBytes: 2 ** 40 }, /are needed/],
] as const)("%s", (code, job, image, message) => {
  const attempt = () => plan(sampleJob(job), sampleHardware(), sampleImage(image as object));
  expect(attempt).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message), hint: expect.any(String) }),
  );
});

test("user data that cannot fit is refused before anything is touched", () => {
  const job = sampleJob({ instance: { hostname: "web-1", userData: "x".repeat(2 ** 20) } });
  expect(() => plan(job, sampleHardware(), sampleImage())).toThrow(
    expect.objectContaining({ code: "config-drive-too-small" }),
  );
});

test("partitions neither overlap nor exceed any disk that is large enough", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1100, max: 40 * 2 ** 20 }),
      fc.constantFrom(512, 4096),
      (mebibytes, logicalSectorBytes) => {
        const disk = sampleDisk("a", { sizeBytes: mebibytes * 2 ** 20, logicalSectorBytes });
        const { partitions } = layOutDisk(disk, uuid, "fd00");
        let end = 34 * logicalSectorBytes;
        for (const { startBytes, sizeBytes } of partitions) {
          expect(startBytes).toBeGreaterThanOrEqual(end);
          expect(startBytes % 2 ** 20).toBe(0);
          expect(sizeBytes).toBeGreaterThan(0);
          end = startBytes + sizeBytes;
        }
        expect(end).toBeLessThanOrEqual(disk.sizeBytes - 33 * logicalSectorBytes);
      },
    ),
  );
});
