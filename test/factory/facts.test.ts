import { truncate } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readFacts } from "../../factory/facts.ts";
import { parseOsRelease } from "../../factory/families/os-release.ts";
import { cpioOf, dpkgStatus, ImageTree } from "./image-tree.ts";
import { ndbOf, rpmHeader } from "./packages/rpm-database.ts";

let tree: ImageTree;
afterEach(() => tree[Symbol.asyncDispose]());

describe("the facts of a Debian tree", () => {
  beforeEach(async () => {
    const made = "conf/initramfs.conf";
    tree = await ImageTree.make({
      "usr/lib/os-release": 'ID=debian\nVERSION_ID="12"\n# a comment\nPRETTY_NAME="Debian \\"12\\""\n',
      "var/lib/dpkg/status": `${dpkgStatus("mdadm", "bash")}\nPackage: lvm2\nStatus: deinstall ok config-files\nVersion: 1\n`,
      "boot/vmlinuz-6.1.0-9-amd64": "",
      "boot/vmlinuz-6.1.0-10-amd64": "",
      "usr/lib/modules/6.1.0-9-amd64/modules.builtin": "kernel/fs/ext4/ext4.ko\n",
      "usr/lib/modules/6.1.0-10-amd64/modules.builtin": "kernel/fs/ext4/ext4.ko\n",
      "boot/initrd.img-6.1.0-9-amd64": cpioOf(made, "lib/raid1.ko", "sbin/mdadm"),
      "boot/initrd.img-6.1.0-10-amd64": cpioOf(made, "lib/raid1.ko", "lib/nvme.ko", "sbin/mdadm", "sbin/lvm"),
      "usr/lib/grub/i386-pc/moddep.lst": "",
    });
  });

  it("are what its files say; of the initramfs, what every kernel has", async () => {
    expect(await readFacts(tree.path, "debian")).toEqual({
      osRelease: { ID: "debian", VERSION_ID: "12", PRETTY_NAME: 'Debian "12"' },
      family: "debian",
      kernels: ["6.1.0-10-amd64", "6.1.0-9-amd64"],
      firmware: { bios: true, uefi: false, secureBoot: false },
      preinstalled: ["mdadm"],
      initramfs: { generator: "initramfs-tools", modules: ["ext4", "raid1"], programs: ["mdadm"] },
    });
  });

  it("are refused of a tree without a kernel, or without its initramfs", async () => {
    await tree.remove("boot/initrd.img-6.1.0-9-amd64");
    await expect(readFacts(tree.path)).rejects.toMatchObject({ code: "initramfs-missing" });
    await tree.remove("boot");
    await expect(readFacts(tree.path)).rejects.toMatchObject({ code: "kernel-missing" });
  });

  it("are refused where another family was expected, or none is known", async () => {
    await expect(readFacts(tree.path, "redhat")).rejects.toMatchObject({ code: "family-mismatch" });
    await tree.put("usr/lib/os-release", "ID=alpine\n");
    await expect(readFacts(tree.path)).rejects.toMatchObject({ code: "family-unknown" });
    await tree.put("usr/lib/os-release", 'ID=raspbian\nID_LIKE="x debian"\n');
    expect((await readFacts(tree.path)).family).toBe("debian");
  });

  it("are refused where the initramfs of two kernels have two makers, or none that is known", async () => {
    await tree.put("boot/initrd.img-6.1.0-9-amd64", cpioOf("usr/lib/dracut/modules.txt"));
    await expect(readFacts(tree.path)).rejects.toMatchObject({ code: "initramfs-generator-unknown" });
    await tree.put("boot/initrd.img-6.1.0-9-amd64", cpioOf("init"));
    await tree.put("boot/initrd.img-6.1.0-10-amd64", cpioOf("init"));
    await expect(readFacts(tree.path)).rejects.toMatchObject({ code: "initramfs-generator-unknown" });
  });

  it("are refused where reading them would take for ever", async () => {
    for (let number = 0; number < 40; number += 1) await tree.put(`boot/vmlinuz-${number}`);
    await expect(readFacts(tree.path)).rejects.toMatchObject({ code: "kernels-too-many" });
    await truncate(join(tree.path, "usr/lib/os-release"), 2 ** 30);
    await expect(readFacts(tree.path)).rejects.toMatchObject({ code: "file-too-large" });
  });

  it("are not read from outside the tree", async () => {
    await tree.remove("usr/lib/os-release");
    await tree.link("usr/lib/os-release", "/etc/os-release");
    await expect(readFacts(tree.path)).rejects.toMatchObject({ code: "file-missing" });
  });
});

describe("the facts of a Red Hat tree", () => {
  it("come from rpm's database and dracut's initramfs; rescue and crash kernels do not count", async () => {
    const kernel = "5.14.0-427.el9.x86_64";
    const initramfs = cpioOf("usr/lib/dracut/build-parameter.txt", "usr/lib/raid1.ko.xz", "usr/sbin/cryptsetup");
    const names = ["mdadm", "cryptsetup", "curl-minimal", "shim-x64", "grub2-pc"];
    tree = await ImageTree.make({
      "etc/os-release": 'ID="rocky"\nID_LIKE="rhel centos fedora"\n',
      "usr/lib/sysimage/rpm/Packages.db": ndbOf(names.map((name) => rpmHeader({ name }))),
      [`boot/vmlinuz-${kernel}`]: "",
      [`usr/lib/modules/${kernel}/vmlinuz`]: "",
      [`boot/initramfs-${kernel}.img`]: initramfs,
      [`boot/initramfs-${kernel}kdump.img`]: "",
      "boot/vmlinuz-0-rescue-0123456789abcdef": "",
      "boot/efi/EFI/BOOT/BOOTX64.EFI": "",
      "boot/efi/EFI/rocky/shimx64.efi": "",
      "boot/efi/EFI/rocky/grubx64.efi": "",
    });
    expect(await readFacts(tree.path, "redhat")).toMatchObject({
      family: "redhat",
      kernels: [kernel],
      firmware: { bios: false, uefi: true, secureBoot: true },
      preinstalled: ["cryptsetup", "cryptsetup-initramfs", "curl", "mdadm", "shim-signed"],
      initramfs: { generator: "dracut", modules: ["raid1"], programs: ["cryptsetup"] },
    });
  });
});

describe("the facts of a SUSE tree", () => {
  it("come from its own paths and package names", async () => {
    const kernel = "6.4.0-150600.23.25-default";
    tree = await ImageTree.make({
      "usr/lib/os-release": 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\n',
      "usr/lib/sysimage/rpm/Packages.db": ndbOf(["btrfsprogs", "openssh-server"].map((name) => rpmHeader({ name }))),
      [`boot/vmlinuz-${kernel}`]: "",
      [`boot/initrd-${kernel}`]: cpioOf("usr/lib/dracut/modules.txt"),
      "usr/share/grub2/i386-pc/moddep.lst": "",
      "usr/share/grub2/x86_64-efi/moddep.lst": "",
      "usr/share/efi/x86_64/shim.efi": "",
    });
    expect(await readFacts(tree.path, "suse")).toMatchObject({
      family: "suse",
      kernels: [kernel],
      firmware: { bios: true, uefi: true, secureBoot: false },
      preinstalled: ["btrfs-progs", "openssh-server"],
      initramfs: { generator: "dracut", modules: [], programs: [] },
    });
  });
});

describe("parsing", () => {
  it("takes what os-release(5) allows and nothing else", async () => {
    tree = await ImageTree.make();
    expect(parseOsRelease("A=1\nB='two words'\nnot an assignment\nc=lower\nD=\n")).toEqual({
      A: "1",
      B: "two words",
      D: "",
    });
  });
});
