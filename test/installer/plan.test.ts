import { describe, expect, test } from "vitest";
import { Secret } from "../../common/secret.ts";
import { describeCommands, describePlan } from "../../installer/describe-plan.ts";
import { plan } from "../../installer/plan.ts";
import type { Step } from "../../installer/step.ts";
import { sampleDisk, sampleHardware, sampleImage, sampleJob } from "./samples.ts";

const uuid = "11111111-2222-4333-8444-555555555555";

const everything = {
  partitions: [
    { name: "boot_raid", size: "1 GiB" },
    { name: "root_raid", size: "rest" },
    { name: "members", group: "backup", size: "rest" },
  ],
  raid: [
    { name: "boot", level: 1, on: "boot_raid", metadata: "1.0" },
    { name: "root", level: 1, on: "root_raid", sync: "assume-clean" },
    { name: "archive", level: 5, on: "members", spares: 1, chunk: "256 KiB", sync: "zero" },
  ],
  luks: [{ name: "secret", on: "vg0/secret", key: new Secret("c2VjcmV0") }],
  lvm: [
    {
      name: "vg0",
      on: ["archive"],
      volumes: [
        { name: "secret", size: "25%" },
        { name: "rest", size: "rest" },
      ],
    },
  ],
  filesystems: [
    { on: "boot", type: "ext4", mount: "/boot" },
    {
      on: "root",
      type: "btrfs",
      subvolumes: [
        { name: "@", mount: "/" },
        { name: "@home", mount: "/home", options: "noatime" },
      ],
    },
    { on: "secret", type: "ext4", mount: "/srv/secret" },
    { on: "vg0/rest", type: "xfs", mount: "/srv", options: "noatime" },
  ],
};

test.each<[string, object, object]>([
  ["raid1", {}, {}],
  ["raid1-esp", { storage: { preset: "raid1", esp: "raid1" } }, {}],
  ["raid5", { disks: { count: 3 }, storage: "raid5" }, {}],
  [
    "encrypted-lvm",
    { storage: { preset: "raid1", lvm: true, swap: "1 GiB", encrypt: { passphrase: new Secret("hunter2") } } },
    { preinstalled: ["cloud-init", "cryptsetup", "cryptsetup-initramfs", "lvm2", "mdadm"] },
  ],
  [
    "everything",
    { disks: { system: { count: 2, match: { serial: ["A", "B"] } }, backup: { count: 4 } }, storage: everything },
    { preinstalled: ["btrfs-progs", "cloud-init", "cryptsetup", "lvm2", "mdadm", "xfsprogs"] },
  ],
])("%s: the same job, hardware and image give the same plan, command by command", async (name, fields, facts) => {
  const instance = { hostname: "web-1", uuid, userData: "#!/bin/sh\necho secret-password\n" };
  const job = sampleJob({ instance, ...fields });
  const letters = { raid5: "abc", everything: "abcdef" }[name] ?? "ab";
  const hardware = () => sampleHardware({ disks: [...letters].map((letter) => sampleDisk(letter)) });
  const made = plan(job, hardware(), sampleImage(facts));
  expect(plan(job, hardware(), sampleImage(facts))).toEqual(made);
  const shown = name.startsWith("raid1") ? made : { ...made, steps: made.steps.flatMap(storageOnly) };
  const told = `${describePlan(made)}\n\n${describeCommands(shown)}\n`;
  expect(told + JSON.stringify(made)).not.toMatch(/hunter2|c2VjcmV0/);
  await expect(told).toMatchFileSnapshot(`golden/${name}.txt`);
});

/** Two plans are shown whole; of the others, what differs. */
function storageOnly(step: Step): Step[] {
  if (step.kind === "write-files") {
    return [{ ...step, files: step.files.filter(({ path }) => /^\/etc\/(fstab|crypt|mdadm)/.test(path)) }];
  }
  return ["commands", "encrypt", "sync-arrays"].includes(step.kind) ? [step] : [];
}

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

const smallRoot = {
  partitions: [{ name: "members", size: "1 GiB" }],
  raid: [{ name: "root", level: 1, on: "members" }],
  filesystems: [{ on: "root", type: "ext4", mount: "/" }],
};

test.each([
  ["image-lacks-packages", {}, { preinstalled: ["cloud-init"] }, /lacks mdadm/],
  ["image-lacks-packages", { phoneHome: undefined }, { preinstalled: [] }, /lacks cloud-init, mdadm/],
  [
    "image-lacks-firmware",
    { firmware: "bios" },
    { firmware: { bios: false, uefi: true, secureBoot: true } },
    /no boot loader for bios/,
  ],
  ["license-missing", {}, { license: "rhsm" }, /needs a license/],
  ["disk-too-small", {}, { minimumDiskBytes: 2 ** 40 }, /are needed/],
  ["storage-invalid", { storage: smallRoot }, { minimumDiskBytes: 2 ** 31 }, /wants 2048 MiB, and \/ come to/],
  ["image-lacks-packages", { storage: { preset: "raid1", lvm: true, filesystem: "xfs" } }, {}, /lacks xfsprogs/],
] as const)("%s", (code, job, image, message) => {
  const attempt = () => plan(sampleJob(job), sampleHardware(), sampleImage(image as object));
  expect(attempt).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message), hint: expect.any(String) }),
  );
});

test("user data that cannot fit is refused before anything is touched", () => {
  const job = sampleJob({ instance: { hostname: "web-1", userData: "x".repeat(64 * 2 ** 20) } });
  expect(() => plan(job, sampleHardware(), sampleImage())).toThrow(
    expect.objectContaining({ code: "config-drive-too-small" }),
  );
});

test("an array that the image's kernel could not assemble is not made", () => {
  const made = (kernelRelease: string, storage: object | string, kernels = ["6.1.0-40-amd64", "6.20.1"]) =>
    plan(sampleJob({ storage, ...oneDisk(storage) }), sampleHardware({ kernelRelease }), sampleImage({ kernels }));
  const refusal = expect.objectContaining({
    code: "rescue-kernel-too-new",
    data: { release: "6.19.6+deb14-amd64", lockedOut: ["6.1.0-40-amd64"] },
  });
  expect(() => made("6.19.6+deb14-amd64", "raid1")).toThrow(refusal);
  expect(() => made("6.18.15+deb14-amd64", "raid1")).not.toThrow();
  expect(() => made("7.2.0-1-amd64", "raid1", ["6.19.1"])).not.toThrow();
  expect(() => made("7.2.0-1-amd64", "single")).not.toThrow();
});

const oneDisk = (storage: unknown) => (storage === "single" ? { disks: { count: 1, match: { serial: "A" } } } : {});
