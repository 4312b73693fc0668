import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseInstalled, parseOsRelease, readFacts } from "../../factory/facts.ts";

let tree: string;

async function put(path: string, content: string | Uint8Array = ""): Promise<void> {
  await mkdir(dirname(join(tree, path)), { recursive: true });
  await writeFile(join(tree, path), content);
}

/** One member without content, and the trailer: cpio's fields are zero but for mode, links and name size. */
function cpioOf(...names: string[]): Buffer {
  const member = (name: string) => {
    const size = (name.length + 1).toString(16).padStart(8, "0");
    const header = `070701${"0".repeat(8)}000081a4${"0".repeat(16)}00000001${"0".repeat(48)}${size}${"0".repeat(8)}`;
    const text = `${header}${name}\0`;
    return text.padEnd(Math.ceil(text.length / 4) * 4, "\0");
  };
  return Buffer.from([...names, "TRAILER!!!"].map(member).join(""));
}

beforeEach(async () => {
  tree = await mkdtemp(join(tmpdir(), "facts-"));
  await put("usr/lib/os-release", 'ID=debian\nVERSION_ID="12"\n# a comment\nPRETTY_NAME="Debian \\"12\\""\n');
  await put(
    "var/lib/dpkg/status",
    "Package: mdadm\nStatus: install ok installed\n\nPackage: lvm2\nStatus: deinstall ok config-files\n",
  );
  for (const kernel of ["6.1.0-9-amd64", "6.1.0-10-amd64"]) {
    await put(`boot/vmlinuz-${kernel}`);
    await put(`usr/lib/modules/${kernel}/modules.builtin`, "kernel/fs/ext4/ext4.ko\n");
  }
  await symlink("usr/lib", join(tree, "lib"));
  await put("boot/initrd.img-6.1.0-9-amd64", cpioOf("lib/raid1.ko", "sbin/mdadm"));
  await put("boot/initrd.img-6.1.0-10-amd64", cpioOf("lib/raid1.ko", "lib/nvme.ko", "sbin/mdadm", "sbin/lvm"));
  await put("usr/lib/grub/i386-pc/moddep.lst");
});
afterEach(() => rm(tree, { recursive: true }));

describe("the facts of a tree", () => {
  it("are what its files say; of the initramfs, what every kernel has", async () => {
    expect(await readFacts(tree)).toEqual({
      osRelease: { ID: "debian", VERSION_ID: "12", PRETTY_NAME: 'Debian "12"' },
      kernels: ["6.1.0-10-amd64", "6.1.0-9-amd64"],
      firmware: { bios: true, uefi: false, secureBoot: false },
      preinstalled: ["mdadm"],
      initramfs: { generator: "initramfs-tools", modules: ["ext4", "raid1"], programs: ["mdadm"] },
    });
  });

  it("are refused of a tree without a kernel, or without its initramfs", async () => {
    await rm(join(tree, "boot/initrd.img-6.1.0-9-amd64"));
    await expect(readFacts(tree)).rejects.toMatchObject({ code: "initramfs-missing" });
    await rm(join(tree, "boot"), { recursive: true });
    await mkdir(join(tree, "boot"));
    await expect(readFacts(tree)).rejects.toMatchObject({ code: "kernel-missing" });
  });

  it("are not read from outside the tree", async () => {
    await rm(join(tree, "usr/lib/os-release"));
    await symlink("/etc/os-release", join(tree, "usr/lib/os-release"));
    await expect(readFacts(tree)).rejects.toMatchObject({ code: "file-missing" });
  });
});

describe("parsing", () => {
  it("takes what os-release(5) allows and nothing else", () => {
    expect(parseOsRelease("A=1\nB='two words'\nnot an assignment\nc=lower\nD=\n")).toEqual({
      A: "1",
      B: "two words",
      D: "",
    });
  });

  it("counts no package that is only half installed", () => {
    const status = "Package: a\nStatus: install ok unpacked\n\nPackage: b\nStatus: hold ok installed\n";
    expect(parseInstalled(status)).toEqual(["b"]);
  });
});
