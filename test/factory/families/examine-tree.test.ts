import { describe, expect, it } from "vitest";
import { readCloudInitState } from "../../../factory/families/cloud-init.ts";
import { examineTree } from "../../../factory/families/examine-tree.ts";
import { cpioOf, dpkgStatus, ImageTree } from "../image-tree.ts";

const drivers = ["ahci", "nvme", "mpt3sas", "megaraid_sas"].map((name) => `kernel/drivers/${name}.ko.xz:\n`).join("");

describe("the examination of a tree", () => {
  it("tells what is there and what is missing", async () => {
    await using tree = await ImageTree.make({
      "etc/os-release": "ID=ubuntu\nID_LIKE=debian\n",
      "usr/bin/apt-get": "",
      "usr/sbin/sshd": "",
      "var/lib/dpkg/status": dpkgStatus("cloud-init", "mdadm"),
      "boot/vmlinuz-2-cloud": "",
      "boot/vmlinuz-3-metal": "",
      "usr/lib/modules/2-cloud/modules.dep": "kernel/drivers/ahci.ko:\n",
      "usr/lib/modules/2-cloud/modules.builtin": "kernel/drivers/nvme.ko\n",
      "usr/lib/modules/3-metal/modules.dep": drivers,
      "usr/lib/modules/3-metal/modules.builtin": "kernel/fs/ext4/ext4.ko\n",
      "boot/initrd.img-3-metal": cpioOf("conf/initramfs.conf", "lib/raid1.ko", "sbin/mdadm"),
      "usr/lib/grub/x86_64-efi/moddep.lst": "",
      "etc/selinux/config": "# SELINUX=disabled\nSELINUX=permissive\n",
    });
    expect(await examineTree(tree.path)).toEqual({
      osRelease: { ID: "ubuntu", ID_LIKE: "debian" },
      family: "debian",
      packageManager: "apt-get",
      packageCount: 2,
      kernels: [
        {
          release: "3-metal",
          missingDrivers: [],
          hasHardwareDrivers: true,
          initramfs: {
            path: "/boot/initrd.img-3-metal",
            generator: "initramfs-tools",
            modules: new Set(["raid1", "ext4"]),
            programs: new Set(["mdadm"]),
          },
        },
        {
          release: "2-cloud",
          missingDrivers: ["megaraid_sas", "mpt3sas"],
          hasHardwareDrivers: false,
          initramfs: undefined,
        },
      ],
      firmware: { bios: false, uefi: true, secureBoot: false, shim: false },
      preinstalled: ["cloud-init", "mdadm"],
      cloudInit: { version: "1.0-1", enabled: true, configDrive: true },
      selinux: "permissive",
      license: "none",
      sshServer: true,
      problems: [],
    });
  });

  it("comes to its end whatever texts are made to take long", async () => {
    const blanks = " ".repeat(2 ** 20);
    await using tree = await ImageTree.make({
      "etc/os-release": "ID=debian\n",
      "var/lib/dpkg/status": dpkgStatus("cloud-init"),
      "boot/vmlinuz-1": "",
      "usr/lib/modules/1/modules.dep": `${"a".repeat(2 ** 20)}\n${drivers}`,
      "etc/selinux/config": `${"\n".repeat(2 ** 20)}SELINUX=disabled`,
      "etc/cloud/ds-identify.cfg": `datasource: x${blanks}\ry\n`,
    });
    expect(await examineTree(tree.path)).toMatchObject({
      kernels: [{ missingDrivers: [] }],
      selinux: "disabled",
      cloudInit: { configDrive: false },
      problems: [],
    });
  });

  it("fails on nothing: an empty tree, and one full of damage", async () => {
    await using empty = await ImageTree.make();
    const nothing = await examineTree(empty.path);
    expect(nothing).toMatchObject({ family: undefined, kernels: [], preinstalled: [], sshServer: false });
    expect(nothing.problems.map(({ code }) => code)).toEqual(["file-missing"]);

    await using hostile = await ImageTree.make({
      "etc/os-release": "ID=rhel\n",
      "var/lib/rpm/Packages.db": "no database",
      "boot/vmlinuz-5": "",
      "boot/initramfs-5.img": "no initramfs",
    });
    await hostile.link("usr/sbin/sshd", "sshd");
    const found = await examineTree(hostile.path);
    expect(found).toMatchObject({ family: "redhat", license: "rhsm", packageCount: undefined, sshServer: false });
    expect(found.kernels).toMatchObject([{ release: "5", hasHardwareDrivers: false, initramfs: undefined }]);
    expect(found.problems.map(({ code }) => code)).toEqual([
      "package-database-invalid",
      "initramfs-compression-unknown",
      "link-loop",
    ]);
  });
});

describe("cloud-init", () => {
  const off = "etc/cloud/cloud-init.disabled";
  const first = "etc/cloud/cloud.cfg";
  const later = "etc/cloud/cloud.cfg.d/90_dpkg.cfg";
  it.each<[string, Record<string, string>, { enabled: boolean; configDrive: boolean }]>([
    ["without any setting", {}, { enabled: true, configDrive: true }],
    ["with a list that has it", { [first]: "datasource_list: [ConfigDrive]" }, { enabled: true, configDrive: true }],
    [
      "with a later list that lacks it",
      { [first]: "datasource_list: [ConfigDrive]", [later]: "datasource_list: [ Ec2 ]\n" },
      { enabled: true, configDrive: false },
    ],
    [
      "with a broken file, which it passes over",
      { [first]: "datasource_list: [ConfigDrive]", [later]: "datasource_list: [\n" },
      { enabled: true, configDrive: true },
    ],
    ["switched off by a file", { [off]: "" }, { enabled: false, configDrive: false }],
    [
      "switched off by the kernel's command line",
      { "etc/default/grub.d/x.cfg": 'GRUB_CMDLINE_LINUX="quiet cloud-init=disabled"\n' },
      { enabled: false, configDrive: false },
    ],
    [
      "not switched off by a comment",
      { "etc/default/grub": '#GRUB_CMDLINE_LINUX="cloud-init=disabled"\n' },
      { enabled: true, configDrive: true },
    ],
    [
      "with a policy of being off",
      { "etc/cloud/ds-identify.cfg": "policy: disabled\n" },
      { enabled: false, configDrive: false },
    ],
    [
      "told to use another",
      { "etc/cloud/ds-identify.cfg": "datasource: Ec2 # x\n" },
      { enabled: true, configDrive: false },
    ],
  ])("%s", async (_, files, expected) => {
    await using tree = await ImageTree.make(files);
    const state = await readCloudInitState(tree.path);
    expect(state).toMatchObject(expected);
    expect(state.reason === undefined).toBe(expected.configDrive);
  });
});
