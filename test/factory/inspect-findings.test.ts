import { describe, expect, test } from "vitest";
import { Failure } from "../../common/failure.ts";
import type { TreeExamination } from "../../factory/families/examine-tree.ts";
import { judge, verdictOf } from "../../factory/inspect-findings.ts";

/** An image that has been through the factory. */
const initramfs: NonNullable<TreeExamination["kernels"][number]["initramfs"]> = {
  path: "/boot/initrd.img-6.1.0-40-amd64",
  generator: "initramfs-tools",
  modules: new Set(["raid1", "nvme", "ahci"]),
  programs: new Set(["mdadm", "lvm"]),
};
const kernel = { release: "6.1.0-40-amd64", missingDrivers: [], hasHardwareDrivers: true, initramfs };
const made: TreeExamination = {
  osRelease: { ID: "debian", PRETTY_NAME: "Debian GNU/Linux 12 (bookworm)" },
  family: "debian",
  packageManager: "apt-get",
  packageCount: 400,
  kernels: [kernel],
  firmware: { bios: true, uefi: true, secureBoot: true, shim: true },
  preinstalled: ["cloud-init", "cryptsetup", "curl", "efibootmgr", "lvm2", "mdadm"],
  cloudInit: { version: "22.4.2", enabled: true, configDrive: true },
  selinux: undefined,
  license: "none",
  sshServer: true,
  problems: [],
};

const judged = (changes: Partial<TreeExamination>) =>
  judge({ system: { ...made, ...changes }, disk: undefined, unpackedBytes: 2 ** 30, minimumDiskBytes: 2 ** 31 });

/** The findings that are not ready. */
const flaws = (changes: Partial<TreeExamination>) =>
  judged(changes)
    .filter(({ readiness }) => readiness !== "ready")
    .map(({ topic, readiness }) => `${topic}: ${readiness}`);

test("an image that has all is ready", () => {
  expect(flaws({})).toEqual([]);
  expect(verdictOf(judged({}))).toBe("ready");
});

describe("what a build would install or set is fixable", () => {
  test.each<[string, Partial<TreeExamination>, string[]]>([
    ["no kernel", { kernels: [] }, ["kernel: fixable"]],
    ["a cloud's kernel", { kernels: [{ ...kernel, missingDrivers: ["ahci"] }] }, ["kernel: fixable"]],
    ["no initramfs", { kernels: [{ ...kernel, initramfs: undefined }] }, ["initramfs: fixable"]],
    [
      "an initramfs for virtual machines",
      { kernels: [{ ...kernel, initramfs: { ...initramfs, programs: new Set() } }] },
      ["initramfs: fixable"],
    ],
    ["no mdadm", { preinstalled: made.preinstalled.filter((name) => name !== "mdadm") }, ["mdadm: fixable"]],
    [
      "no GRUB for UEFI",
      { firmware: { ...made.firmware, uefi: false, secureBoot: false } },
      ["GRUB for UEFI: fixable", "Secure Boot: fixable"],
    ],
    ["no cloud-init", { cloudInit: undefined }, ["cloud-init: fixable"]],
    [
      "a cloud-init that looks elsewhere",
      { cloudInit: { version: "22", enabled: true, configDrive: false, reason: "datasource_list has no ConfigDrive" } },
      ["config drive: fixable"],
    ],
    ["no sshd", { sshServer: false }, ["sshd: fixable"]],
  ])("%s", (_name, changes, expected) => {
    expect(flaws(changes)).toEqual(expected);
    expect(verdictOf(judged(changes))).toBe("fixable");
  });
});

describe("what no build can fix blocks", () => {
  test("a distribution of no known family, and then all that its scripts would have fixed", () => {
    const changes = { family: undefined, osRelease: { ID: "alpine" }, preinstalled: [], kernels: [] };
    expect(flaws(changes)).toEqual(expect.arrayContaining(["system: blocks", "kernel: blocks", "mdadm: blocks"]));
    expect(verdictOf(judged(changes))).toBe("blocks");
  });

  test("content that cannot be read", () => {
    const problems = [new Failure({ code: "package-database-invalid", kind: "integrity", message: "it is damaged" })];
    expect(flaws({ problems })).toEqual(["content: blocks"]);
  });
});

test("every finding that is not ready says why", () => {
  const nothing = { kernels: [], preinstalled: [], cloudInit: undefined, sshServer: false };
  for (const finding of judged(nothing)) if (finding.readiness !== "ready") expect(finding.why).toBeTruthy();
});
