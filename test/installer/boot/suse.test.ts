import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { writeLoaderType } from "../../../installer/boot/write-loader-type.ts";
import { plan } from "../../../installer/plan.ts";
import type { Step } from "../../../installer/step.ts";
import { sampleHardware, sampleImage, sampleJob } from "../samples.ts";

function planFor(firmware: "uefi" | "bios", job: Record<string, unknown> = {}, secureBoot = true) {
  return plan(
    sampleJob(job),
    sampleHardware({ firmware }),
    sampleImage({
      name: "opensuse-leap-16.0",
      family: "suse",
      osRelease: { ID: "opensuse-leap", ID_LIKE: "suse opensuse", VERSION_ID: "16.0", NAME: "openSUSE Leap" },
      kernels: ["6.12.0-160000.5-default"],
      firmware: { bios: true, uefi: true, secureBoot },
      initramfs: { generator: "dracut", modules: ["raid1"], programs: ["mdadm"] },
    }),
  );
}

const commandsOf = (steps: readonly Step[]) =>
  steps.flatMap((step) => (step.kind === "run-in-target" ? step.commands.map((words) => words.join(" ")) : []));
const contentOf = (steps: readonly Step[], path: string) =>
  steps
    .flatMap((step) => (step.kind === "write-files" ? step.files : []))
    .flatMap((file) => (file.path === path && "content" in file ? String(file.content) : []))[0];

test("the loader of this server's firmware is installed, and upgrades renew it", () => {
  for (const [firmware, type] of [
    ["uefi", "grub2-efi"],
    ["bios", "grub2"],
  ] as const) {
    const { firmware: chosen, steps } = planFor(firmware);
    expect(chosen).toEqual([firmware]);
    const step = steps.find(({ kind }) => kind === "loader-type");
    expect(step).toMatchObject({ settings: { LOADER_TYPE: type, UPDATE_NVRAM: "no", SECURE_BOOT: "yes" } });
  }
});

test("under BIOS, upgrades know every disk", () => {
  const { disks, steps } = planFor("bios");
  expect(contentOf(steps, "/etc/default/grub_installdevice")).toBe(disks.map((disk) => `${disk}\n`).join(""));
  expect(commandsOf(steps).filter((line) => line.startsWith("grub2-install"))).toEqual(
    disks.map((disk) => `grub2-install --target=i386-pc --force --skip-fs-probe ${disk}`),
  );
});

describe("under UEFI", () => {
  test("shim and GRUB go into the distributor's folder and to the fallback path, which the entries name", () => {
    const { steps } = planFor("uefi");
    expect(commandsOf(steps)).toContain("shim-install --no-nvram --config-file=/boot/grub2/grub.cfg");
    expect(commandsOf(steps)).toContain("shim-install --removable --config-file=/boot/grub2/grub.cfg");
    const entries = steps.flatMap((step) => (step.kind === "firmware-entries" ? step.entries : []));
    expect(entries.map(({ loader }) => loader)).toEqual(["\\EFI\\BOOT\\BOOTX64.EFI", "\\EFI\\BOOT\\BOOTX64.EFI"]);
  });

  test("without shim, GRUB alone", () => {
    const lines = commandsOf(planFor("uefi", {}, false).steps).join("\n");
    expect(lines).toContain("grub2-install --target=x86_64-efi");
    expect(lines).not.toContain("shim-install");
  });
});

test("kernels that are links are copied where /boot is a file system of its own", () => {
  const storage = {
    partitions: [
      { name: "boot", size: "1 GiB" },
      { name: "root", size: "rest" },
    ],
    filesystems: [
      { on: "boot", type: "ext4", mount: "/boot" },
      { on: "root", type: "ext4", mount: "/" },
    ],
  };
  const job = { disks: { count: 1, match: { serial: "A" } } };
  const names = (fields: object) => planFor("uefi", { ...job, ...fields }).steps.map(({ name }) => name);
  expect(names({ storage })).toContain("copy-kernels");
  expect(names({ storage: "single" })).not.toContain("copy-kernels");
});

describe("/etc/sysconfig/bootloader", () => {
  let target: string;
  const path = () => join(target, "etc/sysconfig/bootloader");
  beforeEach(async () => {
    target = await mkdtemp(join(tmpdir(), "loader-type-"));
    await mkdir(join(target, "etc/sysconfig"), { recursive: true });
  });
  afterEach(() => rm(target, { recursive: true }));

  const work = () =>
    writeLoaderType({ kind: "loader-type", name: "", title: "", target, settings: { LOADER_TYPE: "grub2" } });

  test("keeps what is not ours", async () => {
    await writeFile(path(), '## Path: System/Bootloader\nLOADER_TYPE="grub2-efi"\nTRUSTED_BOOT="no"\n');
    await work();
    expect(await readFile(path(), "utf8")).toBe('## Path: System/Bootloader\nTRUSTED_BOOT="no"\nLOADER_TYPE="grub2"\n');
  });

  test.each(["grub2-bls", "systemd-boot"])("%s is refused", async (type) => {
    await writeFile(path(), `LOADER_TYPE="${type}"\n`);
    await expect(work()).rejects.toMatchObject({ code: "loader-unknown", message: expect.stringContaining(type) });
    expect(await readFile(path(), "utf8")).toContain(type);
  });
});
