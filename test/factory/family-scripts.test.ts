import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "../../common/run.ts";
import { readFamily, ScriptRoot } from "./script-root.ts";

const drivers = ["ahci", "dm-mod", "megaraid_sas", "mpt3sas", "nvme", "raid1", "xfs"];

/** Shell text that makes a kernel: what the package manager's stand-in does after an installation. */
function makeKernel(kernel: string, modules = drivers): string {
  const folder = `/lib/modules/${kernel}`;
  const files = modules.map((name) => `${folder}/${name}.ko.xz`).join(" ");
  const dependencies = modules.map((name) => `${name}.ko.xz:\\n`).join("kernel/drivers/");
  return [
    `mkdir -p ${folder} /boot`,
    `touch ${files} /boot/vmlinuz-${kernel}`,
    `printf 'kernel/drivers/${dependencies}' >${folder}/modules.dep`,
    "",
  ].join("\n");
}

let root: ScriptRoot;
afterEach(() => root[Symbol.asyncDispose]());

async function makeNow(kernel: string, modules?: string[]): Promise<void> {
  await root.put("run/kernel", makeKernel(kernel, modules));
  await run("chroot", [root.path, "/bin/sh", "-eu", "/run/kernel"], { doing: "making a kernel" });
}

describe("the scripts for the Red Hat family", async () => {
  const { scripts, packages } = await readFamily("redhat");
  const kernel = "5.14.0-503.el9.x86_64";
  const cloudKernel = "5.14.0-427.el9.x86_64";
  const untouched = ["kernel-headers", "kernel-tools", "kernel-tools-libs"];
  const names = packages.map((name) => name.replace(/\?$/, ""));
  const variables = { ADD_PACKAGES: packages.join(" "), REMOVE_PACKAGES: "dracut-config-r* absent-*" };

  async function makeRoot(manager: "dnf" | "yum"): Promise<void> {
    root = await ScriptRoot.make([manager, "rpm", "dracut", "lsinitrd", "setfiles", "stat", "grub2-editenv", "python"]);
    await root.put("etc/os-release", 'ID="almalinux"\nID_LIKE="rhel centos fedora"\n');
    await root.put("state/offered", `${names.filter((name) => name !== "btrfs-progs").join("\n")}\n`);
    await root.put("state/installed", "dracut-config-rescue\n");
    const ofCloudKernel = ["kernel", "kernel-core", "kernel-modules-core", ...untouched];
    await root.put("state/kernels", ofCloudKernel.map((name) => `${name}-${cloudKernel}\n`).join(""));
    await root.put("state/after-install", makeKernel(kernel));
    await makeNow(cloudKernel, ["ahci"]);
    await root.put("etc/dracut.conf.d/vendor.conf", "");
    await root.put("boot/vmlinuz-0-rescue-1234", "");
    await root.put("boot/grub2/grubenv", "saved_entry=1234-old\nkernelopts=root=UUID=1 ro net.ifnames=0\n");
    await root.put(
      "etc/default/grub",
      'GRUB_TIMEOUT=1\nGRUB_CMDLINE_LINUX="console=tty0 console=ttyS0,115200n8 root=UUID=1 net.ifnames=0 crashkernel=1G"\n',
    );
    await root.put("var/log/journal/0123/system.journal", "");
    await root.put("etc/selinux/config", "SELINUX=enforcing\nSELINUXTYPE=targeted\n");
    await root.put("etc/selinux/targeted/contexts/files/file_contexts", "");
    await root.put("etc/machine-id", "0123\n");
    await root.put("etc/fstab", "UUID=1 / xfs defaults 0 0\n");
  }

  it("make an image for metal of one with boot loader entries", async () => {
    await makeRoot("dnf");
    await root.put(
      "boot/loader/entries/1234-new.conf",
      "title x\noptions root=UUID=1 rootflags=subvol=root ro rd.lvm.lv=vg/root rd.lvm.lv=vg/swap console=ttyS0 net.ifnames=0\n",
    );
    await root.put("boot/loader/entries/1234-0-rescue.conf", "title rescue\n");
    await root.run(scripts, variables);

    expect((await root.read("state/installed"))?.trim().split("\n").sort()).toEqual(
      names.filter((name) => name !== "btrfs-progs").sort(),
    );
    expect(await root.list("lib/modules")).toEqual([kernel]);
    expect(await root.read("state/kernels")).toBe(untouched.map((name) => `${name}-${cloudKernel}\n`).join(""));
    expect(await root.list("boot")).toEqual(["grub2", `initramfs-${kernel}.img`, "loader", `vmlinuz-${kernel}`]);
    expect(await root.list("boot/loader/entries")).toEqual(["1234-new.conf"]);
    expect(await root.read("boot/loader/entries/1234-new.conf")).toMatch(/^options {3}ro {3}console=ttyS0 \n$/m);
    expect(await root.read("etc/default/grub")).toBe(
      'GRUB_TIMEOUT=1\nGRUB_CMDLINE_LINUX="console=tty0 console=ttyS0,115200n8   crashkernel=1G"\nGRUB_ENABLE_BLSCFG=true\n',
    );
    expect(await root.read("boot/grub2/grubenv")).toBe(
      "kernelopts=console=tty0 console=ttyS0,115200n8   crashkernel=1G\n",
    );
    expect(await root.read("etc/mdadm.conf")).toMatch(/^AUTO \+all$/m);
    expect(await root.read("etc/machine-id")).toBe("");
    expect(await root.read("etc/fstab")).toBe("");
    // The folder itself says that the journal is to be kept.
    expect(await root.list("var/log")).toEqual(["journal"]);
    expect(await root.list("var/log/journal")).toEqual([]);
    expect(await root.read(".autorelabel")).toBe("");
    expect((await root.calls()).some((call) => call.startsWith("subscription-manager"))).toBe(false);
  });

  it("write the labels at once where that is allowed", async () => {
    await makeRoot("dnf");
    await root.put("state/may-label", "");
    await root.run(scripts, variables);
    expect(await root.read(".autorelabel")).toBeUndefined();
    expect((await root.calls()).at(-1)).toMatch(/^setfiles -m -F .* \/$/);
    await root.remove("state/labelled");
    await root.put("state/labels-vanish", "");
    await root.run(["scripts/selinux.sh"]);
    expect(await root.read(".autorelabel")).toBe("");
  });

  it("use yum in version 7, and do not take its silence for success", async () => {
    await makeRoot("yum");
    await root.run(scripts, variables);
    expect(await root.list("boot")).toContain(`initramfs-${kernel}.img`);
    expect(await root.read("etc/kernel/cmdline")).toBeUndefined();

    await root.put("state/offered", "kernel\n");
    await root.put("state/installed", "");
    await expect(root.run(scripts, variables)).rejects.toMatchObject({
      message: expect.stringMatching(/the package \S+ was not installed/),
    });
  });

  it("fail where no kernel has drivers, and where dracut forgot one", async () => {
    await makeRoot("dnf");
    await root.put("state/forgotten", "raid1\n");
    await expect(root.run(scripts, variables)).rejects.toMatchObject({
      message: expect.stringMatching(/the initramfs of 5.14.0-503.el9.x86_64 lacks raid1/),
    });
    await makeNow(kernel, ["ahci"]);
    await run("rm", [join(root.path, `lib/modules/${kernel}/megaraid_sas.ko.xz`)], { doing: "removing a driver" });
    await root.put("state/kernels", `kernel-core-${kernel}\n`);
    await root.put("state/after-install", "");
    await expect(root.run(scripts, variables)).rejects.toMatchObject({
      message: expect.stringMatching(/no kernel has the drivers of servers/),
    });
  });

  describe("with a subscription", () => {
    const registered = { ...variables, RHSM_ORGANIZATION: "4711" };

    beforeEach(async () => {
      await makeRoot("dnf");
      await root.put("etc/os-release", 'NAME="Red Hat Enterprise Linux"\nID="rhel"\n');
      await root.put("etc/yum.repos.d/none", "");
      await root.put("usr/sbin/subscription-manager", "#! /usr/bin/python -s\n");
      await chmod(join(root.path, "usr/sbin/subscription-manager"), 0o755);
    });

    it("register the image for the packages, and never leave it registered", async () => {
      await root.put("run/metalcast/secrets/activation-key", "the-secret");
      await root.run(scripts, registered);
      const calls = await root.calls();
      expect(calls.filter((call) => /^(register|subscription-manager)/.test(call))).toEqual([
        "register /usr/sbin/subscription-manager 4711",
        "subscription-manager unregister",
        "subscription-manager clean",
        "subscription-manager identity",
      ]);
      expect(calls.join()).not.toContain("the-secret");
      expect(await root.list("etc/pki/consumer")).toEqual([]);
      expect(await root.list("etc/yum.repos.d")).toEqual(["none"]);
      expect(await root.list("var/log/rhsm")).toEqual([]);
    });

    it("unregister it after a failure too", async () => {
      await root.put("run/metalcast/secrets/activation-key", "the-secret");
      await root.put("state/offered", "");
      await expect(root.run(scripts, registered)).rejects.toMatchObject({
        message: expect.stringMatching(/packages.sh.*Unable to find a match/),
      });
      expect((await root.calls()).slice(-2)).toEqual(["subscription-manager unregister", "subscription-manager clean"]);
      expect(await root.list("etc/pki/entitlement")).toEqual([]);
    });

    it("fail when it could not be unregistered", async () => {
      await root.put("run/metalcast/secrets/activation-key", "the-secret");
      await root.put("state/unregister-fails", "");
      await expect(root.run(scripts, registered)).rejects.toMatchObject({ data: { exitCode: 1 } });
      expect((await root.calls()).slice(-3)).toEqual([
        expect.stringMatching(/^dnf .* clean all$/),
        "subscription-manager unregister",
        "subscription-manager clean",
      ]);
    });

    it.each([
      "etc/pki/consumer/cert.pem",
      "etc/pki/consumer.old/key.pem",
      "etc/pki/entitlement/1.pem",
      "etc/yum.repos.d/redhat.repo",
      "state/still-known",
    ])("prove that nothing of it is left: %s", async (leftover) => {
      const proof = ["scripts/redhat/unregistered.sh"];
      await root.run(proof);
      await root.put(leftover, "secret");
      await expect(root.run(proof)).rejects.toMatchObject({ message: expect.stringMatching(/still registered/) });
    });

    it("take what dnf's plugin leaves on an image that never was registered for no registration", async () => {
      await root.put("etc/yum.repos.d/redhat.repo", "#\n# Certificate-Based Repositories\n\n");
      await root.put("var/log/rhsm/rhsm.log", "INFO: no identity\n");
      await root.put("var/lib/rhsm/cache/installed_products.json", "{}");
      await root.run(["scripts/redhat/unregistered.sh"]);
      expect(await root.list("var/log/rhsm")).toEqual([]);
      expect(await root.list("var/lib/rhsm/cache")).toEqual([]);
    });

    it("say what is missing: a key, or the organization that it belongs to", async () => {
      await expect(root.run(scripts, variables)).rejects.toMatchObject({
        message: expect.stringMatching(/no repositories without a subscription: give an activation key/),
      });
      await root.put("state/repositories", "baseos BaseOS\n");
      await root.run(scripts, variables);
      await root.put("run/metalcast/secrets/activation-key", "the-secret");
      await expect(root.run(scripts, variables)).rejects.toMatchObject({
        message: expect.stringMatching(/no organization it belongs to/),
      });
    });
  });

  it("keep the activation key out of every argument list", async () => {
    root = await ScriptRoot.make([]);
    const script = await run("cat", ["packer/scripts/redhat/packages.sh"], { doing: "reading" });
    const program = /<<END\n([\s\S]*?)\nEND\n/.exec(script.stdout)?.[1] ?? "";
    await root.put("key", "the-secret\n");
    await root.put(
      "manager",
      [
        "import sys",
        'own = open("/proc/self/cmdline").read()',
        'parent = open("/proc/self/environ").read()',
        'print(sys.argv[1:], "the-secret" in own, "the-secret" in parent)',
        "sys.exit(3)",
      ].join("\n"),
    );
    const files = [join(root.path, "manager"), "4711", join(root.path, "key")];
    const options = { doing: "registering", input: program, accept: [3] };
    const { stdout } = await run("python3", ["-", ...files], options);
    const words = ["register", "--name", "metalcast-build", "--org", "4711", "--activationkey", "the-secret"];
    expect(stdout.trim()).toBe(`[${words.map((word) => `'${word}'`).join(", ")}] False False`);
  });
});

describe("the scripts for SUSE", async () => {
  const { scripts, packages } = await readFamily("suse");
  const kernel = "6.4.0-150600.23.25-default";
  const variables = { ADD_PACKAGES: packages.join(" "), REMOVE_PACKAGES: "kernel-default-base" };

  beforeEach(async () => {
    root = await ScriptRoot.make(["zypper", "rpm", "dracut", "lsinitrd", "setfiles"]);
    await root.put("etc/os-release", 'ID="opensuse-leap"\n');
    await root.put("state/offered", `${packages.filter((name) => !name.endsWith("?")).join("\n")}\n`);
    await root.put("state/installed", "kernel-default-base\n");
    await root.put("state/after-install", makeKernel(kernel));
    await root.put("etc/dracut.conf.d/vendor.conf", "");
    await root.put("etc/default/grub", 'GRUB_CMDLINE_LINUX_DEFAULT="console=ttyS0,115200 net.ifnames=0"\n');
    await root.put("etc/default/grub_installdevice", "/dev/vda\n");
    await root.put("etc/sysconfig/snapper", 'SNAPPER_CONFIGS="root"\n');
  });

  it.each(["0", "102", "103"])("make an image for metal, with zypper's exit code %s", async (code) => {
    await root.put("state/zypper-exit", code);
    await root.run(scripts, variables);
    const installed = (await root.read("state/installed"))?.trim().split("\n");
    expect(installed).toContain("kernel-default");
    expect(installed).not.toContain("kernel-default-base");
    expect(await root.list("boot")).toEqual([`initrd-${kernel}`, `vmlinuz-${kernel}`]);
    expect(await root.list("etc/default")).toEqual(["grub"]);
    expect(await root.read("etc/default/grub")).toBe('GRUB_CMDLINE_LINUX_DEFAULT="console=ttyS0,115200 "\n');
    expect(await root.read("etc/sysconfig/snapper")).toBe('SNAPPER_CONFIGS=""\n');
    expect(await root.read(".autorelabel")).toBeUndefined();
  });

  it.each(["104", "106", "107"])("fail with zypper's exit code %s", async (code) => {
    await root.put("state/zypper-exit", code);
    await expect(root.run(scripts, variables)).rejects.toMatchObject({ data: { exitCode: Number(code) } });
  });
});

describe("the scripts for Debian's family", async () => {
  const { scripts, packages } = await readFamily("debian");
  const kernel = "7.0.0-44-generic";
  const cloudKernel = "7.0.0-14-generic";
  const variables = {
    ADD_PACKAGES: [...packages, "linux-image-generic"].join(" "),
    REMOVE_PACKAGES: "linux-*virtual",
  };

  it("make an image for metal of an Ubuntu that has dracut, without its older cloud kernel", async () => {
    const programs = ["apt-get", "dpkg-query", "debconf-set-selections", "dracut", "lsinitrd"];
    root = await ScriptRoot.make(programs);
    await root.put("usr/sbin/update-initramfs", "#!/bin/sh\nexit 1\n");
    await chmod(join(root.path, "usr/sbin/update-initramfs"), 0o755);
    const offered = [...packages.filter((name) => name !== "cryptsetup-initramfs"), "linux-image-generic"];
    await root.put("state/offered", `${offered.join("\n")}\n`);
    await root.put("state/installed", "linux-image-virtual\nbash\n");
    await root.put("state/after-install", makeKernel(kernel));
    await makeNow(cloudKernel, ["ahci"]);
    await root.put("var/lib/dpkg/status", "Package: dracut\n");
    await root.put("etc/apt/sources.list", "");
    await root.put("etc/mdadm/mdadm.conf", "");
    await root.put("etc/dracut.conf.d/vendor.conf", "");
    await root.put(
      "etc/default/grub.d/50-cloudimg-settings.cfg",
      'GRUB_CMDLINE_LINUX_DEFAULT="console=tty1 console=ttyS0"\n',
    );
    await root.put("etc/default/grub.d/40-force-partuuid.cfg", "GRUB_FORCE_PARTUUID=1234\n");
    await root.put("etc/iscsi/initiatorname.iscsi", "InitiatorName=iqn.2004-10.com.ubuntu:01:1234\n");
    await root.put("etc/netplan/50-cloud-init.yaml", "network: {}\n");
    await root.run(scripts, variables);

    expect((await root.read("state/installed"))?.trim().split("\n").sort()).toEqual(["bash", ...offered].sort());
    expect(await root.list("boot")).toEqual([`initrd.img-${kernel}`, `vmlinuz-${kernel}`]);
    expect(await root.read("etc/mdadm/mdadm.conf")).toMatch(/^HOMEHOST <ignore>$/m);
    expect(await root.read("etc/default/grub.d/50-cloudimg-settings.cfg")).toMatch(/"console=tty1 console=ttyS0"/);
    expect(await root.read("etc/default/grub.d/40-force-partuuid.cfg")).toBe("");
    expect(await root.read("etc/iscsi/initiatorname.iscsi")).toBe("GenerateName=yes\n");
    expect(await root.list("etc/netplan")).toEqual([]);
    expect(await root.list("usr/sbin")).toEqual(["update-initramfs"]);
  });
});
