import { describe, expect, test } from "vitest";
import { Secret } from "../../../common/secret.ts";
import { plan } from "../../../installer/plan.ts";
import type { Step } from "../../../installer/step.ts";
import type { Manifest } from "../../../mirror/index.ts";
import { sampleDisk, sampleHardware, sampleImage, sampleJob } from "../samples.ts";

const releases = {
  "RHEL 7": { ID: "rhel", VERSION_ID: "7.9", NAME: "Red Hat Enterprise Linux Server" },
  "RHEL 9": { ID: "rhel", VERSION_ID: "9.4", NAME: "Red Hat Enterprise Linux" },
  "AlmaLinux 10": { ID: "almalinux", VERSION_ID: "10.0", NAME: "AlmaLinux" },
  "Fedora 44": { ID: "fedora", VERSION_ID: "44", NAME: "Fedora Linux" },
};

const raid = {
  partitions: [
    { name: "boot_raid", size: "1 GiB" },
    { name: "root_raid", size: "rest" },
  ],
  raid: [
    { name: "boot", level: 1, on: "boot_raid" },
    { name: "root", level: 1, on: "root_raid" },
  ],
  luks: [{ name: "secret", on: "root", passphrase: new Secret("hunter2") }],
  lvm: [{ name: "vg0", on: ["secret"], volumes: [{ name: "root", size: "rest" }] }],
  filesystems: [
    { on: "boot", type: "xfs", mount: "/boot" },
    { on: "vg0/root", type: "xfs", mount: "/" },
  ],
};

function planFor(release: keyof typeof releases, job: object = {}, facts: Partial<Manifest> = {}, firmware = "uefi") {
  return plan(
    sampleJob(job as Record<string, unknown>),
    sampleHardware({ firmware: firmware as "uefi" | "bios" }),
    sampleImage({
      name: "rhel",
      family: "redhat",
      osRelease: releases[release],
      kernels: ["5.14.0-427.el9.x86_64", "5.14.0-400.el9.x86_64"],
      preinstalled: ["cloud-init", "cryptsetup", "cryptsetup-initramfs", "lvm2", "mdadm", "xfsprogs"],
      initramfs: { generator: "dracut", modules: ["raid1", "xfs", "nvme"], programs: ["mdadm", "lvm"] },
      ...facts,
    }),
  );
}

type Kind = Step["kind"];
function stepOf<K extends Kind>({ steps }: { steps: readonly Step[] }, kind: K): Extract<Step, { kind: K }> {
  const step = steps.find((candidate): candidate is Extract<Step, { kind: K }> => candidate.kind === kind);
  if (!step) throw new Error(`the plan has no step of the kind ${kind}`);
  return step;
}

const contentOf = (made: ReturnType<typeof planFor>, path: string) => {
  const file = stepOf(made, "write-files").files.find((candidate) => candidate.path === path);
  return file && "content" in file ? String(file.content) : undefined;
};
const commandsOf = (made: ReturnType<typeof planFor>) =>
  made.steps.flatMap((step) => (step.kind === "run-in-target" ? step.commands.map((words) => words.join(" ")) : []));

test("nothing boots before all else is done, and all that is written gets its labels", () => {
  const names = planFor("RHEL 9", { initramfs: "rebuild" }).steps.map(({ name }) => name);
  expect(names.slice(names.indexOf("lay-image"))).toEqual([
    "lay-image",
    "configure",
    "initramfs",
    "forget-devices",
    "grub-defaults",
    "grub-configuration",
    "bls-entries",
    "label-files",
    "fill-esp",
    "grub-bios",
    "fallback-loader",
    "sync-esp",
    "label-loaders",
    "firmware-entries",
    "release",
    "reboot",
  ]);
});

describe("the kernel is told what its root file system stands on", () => {
  test("an array", () => {
    const { root, added, bootPath } = stepOf(planFor("RHEL 9"), "bls-entries");
    expect(root).toEqual([
      expect.stringMatching(/^root=UUID=[0-9a-f-]{36}$/),
      "ro",
      expect.stringMatching(/^rd\.md\.uuid=(?:[0-9a-f]{8}:){3}[0-9a-f]{8}$/),
      "rd.retry=45",
    ]);
    expect(added).toEqual(["console=tty0", "console=ttyS0,115200"]);
    expect(bootPath).toBe("/boot");
  });

  test("LVM in LUKS on an array, from the top", () => {
    const made = planFor("RHEL 9", { storage: raid });
    const { root, bootPath } = stepOf(made, "bls-entries");
    expect(root.slice(1)).toEqual([
      "ro",
      "rd.lvm.lv=vg0/root",
      expect.stringMatching(/^rd\.luks\.name=[0-9a-f-]{36}=secret$/),
      expect.stringMatching(/^rd\.md\.uuid=/),
      "rd.retry=45",
    ]);
    expect(stepOf(made, "grub-defaults").added).toEqual([...root.slice(2), "console=tty0", "console=ttyS0,115200"]);
    // The crypttab of the installed system opens it by the same name.
    expect(contentOf(made, "/etc/crypttab")).toMatch(/^secret UUID=/m);
    expect(contentOf(made, "/etc/dracut.conf.d/90-metalcast.conf")).toContain(' mdraid lvm crypt "');
    expect(bootPath).toBe("");
  });
});

test("a console of the rescue system that the job names, too, is there once, where the job has it", () => {
  const made = planFor("RHEL 9", { kernelArguments: ["console=ttyS1", "console=tty0"] });
  expect(stepOf(made, "bls-entries").added).toEqual(["console=ttyS0,115200", "console=ttyS1", "console=tty0"]);
});

describe("the initramfs", () => {
  test("is built for every kernel, by its name", () => {
    expect(commandsOf(planFor("RHEL 9", { initramfs: "rebuild" })).filter((line) => line.startsWith("dracut"))).toEqual(
      [
        "dracut --force --no-hostonly /boot/initramfs-5.14.0-427.el9.x86_64.img 5.14.0-427.el9.x86_64",
        "dracut --force --no-hostonly /boot/initramfs-5.14.0-400.el9.x86_64.img 5.14.0-400.el9.x86_64",
      ],
    );
  });

  test("is kept where it holds what the layout needs", () => {
    expect(commandsOf(planFor("RHEL 9")).join("\n")).not.toContain("dracut");
  });
});

describe("on the ESP", () => {
  test.each([
    ["RHEL 9", "redhat"],
    ["AlmaLinux 10", "almalinux"],
    ["Fedora 44", "fedora"],
  ] as const)("%s: a stub in both folders that leads to the menu", (release, vendor) => {
    const made = planFor(release, { storage: raid });
    const stub = contentOf(made, `/boot/efi/EFI/${vendor}/grub.cfg`);
    expect(stub).toContain("root-dev-only");
    expect(stub).toMatch(/^search --no-floppy --fs-uuid --set=dev [0-9a-f-]{36}$/m);
    expect(stub).toContain("\nset prefix=($dev)/grub2\nexport prefix\n");
    expect(contentOf(made, "/boot/efi/EFI/BOOT/grub.cfg")).toBe(stub);
    expect(contentOf(planFor(release), `/boot/efi/EFI/${vendor}/grub.cfg`)).toContain("($dev)/boot/grub2\n");
    expect(stepOf(made, "firmware-entries").entries.map(({ loader }) => loader)).toEqual([
      `\\EFI\\${vendor}\\shimx64.efi`,
      `\\EFI\\${vendor}\\shimx64.efi`,
    ]);
    expect(contentOf(made, "/etc/systemd/system/metalcast-esp-sync.path")).toContain(
      `PathChanged=/boot/efi/EFI/${vendor}\n`,
    );
  });

  test("RHEL 7 has its menu there, and the fallback path leads to it", () => {
    const made = planFor("RHEL 7");
    expect(commandsOf(made)).toContain("grub2-mkconfig --output /boot/efi/EFI/redhat/grub.cfg");
    expect(contentOf(made, "/boot/efi/EFI/redhat/grub.cfg")).toBeUndefined();
    expect(contentOf(made, "/boot/efi/EFI/BOOT/grub.cfg")).toBe("configfile ($root)/EFI/redhat/grub.cfg\n");
  });

  test("without shim the entry names GRUB", () => {
    const made = planFor("RHEL 9", {}, { firmware: { bios: true, uefi: true, secureBoot: false } });
    expect(stepOf(made, "firmware-entries").entries[0]?.loader).toBe("\\EFI\\redhat\\grubx64.efi");
  });

  test("one for all disks has nothing to be copied", () => {
    const made = planFor("RHEL 9", { storage: { preset: "raid1", esp: "raid1" } });
    expect(contentOf(made, "/etc/metalcast/esp-partitions")).toBeUndefined();
    expect(made.steps.map(({ name }) => name)).toContain("fallback-loader");
  });
});

test("under BIOS, GRUB goes to every disk, and the target of the installation is said", () => {
  const made = planFor("RHEL 9", {}, {}, "bios");
  expect(commandsOf(made).filter((line) => line.startsWith("grub2-install"))).toEqual(
    made.disks.map((disk) => `grub2-install --target=i386-pc ${disk}`),
  );
});

describe("RHEL 7 has no boot entries, and a menu for one firmware", () => {
  test.each(["uefi", "bios"])("%s", (firmware) => {
    const made = planFor("RHEL 7", {}, {}, firmware);
    expect(made.firmware).toEqual([firmware]);
    expect(made.steps.map(({ kind }) => kind)).not.toContain("bls-entries");
  });
});

describe("what its boot loader could not read is refused", () => {
  const onRoot = (filesystem: object, level = 1) => ({
    partitions: [{ name: "members", size: "rest" }],
    raid: [{ name: "root", level, on: "members" }],
    filesystems: [{ on: "root", ...filesystem }],
  });
  const facts = { preinstalled: ["btrfs-progs", "cloud-init", "mdadm", "xfsprogs"] };
  const btrfs = { type: "btrfs", mount: "/" };
  const subvolume = { type: "btrfs", subvolumes: [{ name: "root", mount: "/" }] };

  test("btrfs, but by Fedora's", () => {
    expect(() => planFor("RHEL 9", { storage: onRoot(btrfs) }, facts)).toThrow(/signed GRUB cannot read/);
    expect(() => planFor("Fedora 44", { storage: onRoot(btrfs) }, facts)).not.toThrow();
  });

  test("boot entries in a subvolume", () => {
    expect(() => planFor("Fedora 44", { storage: onRoot(subvolume) }, facts)).toThrow(/finds no boot entries/);
  });

  test("a RAID5 that may lack a disk, by UEFI alone too", () => {
    const job = { disks: { count: 3 }, storage: onRoot({ type: "xfs", mount: "/" }, 5), firmware: "uefi" };
    expect(() =>
      plan(
        sampleJob(job),
        sampleHardware({ disks: ["a", "b", "c"].map((letter) => sampleDisk(letter)) }),
        sampleImage({ family: "redhat", osRelease: releases["RHEL 9"], ...facts }),
      ),
    ).toThrow(/without a disk/);
  });
});
