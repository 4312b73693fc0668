import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findBootCommand, readBootCommand } from "../../../installer/boot/boot-command.ts";

/** As grub-mkconfig of Debian 12 writes it. */
const menu = `set timeout=5
menuentry 'Debian GNU/Linux' --class debian {
	search --no-floppy --fs-uuid --set=root 1111
	echo	'Loading Linux 6.1.0-40-amd64 ...'
	linux	/boot/vmlinuz-6.1.0-40-amd64 root=UUID=1111 ro console=tty0 dyndbg="file x +p" quiet
	echo	'Loading initial ramdisk ...'
	initrd	/boot/initrd.img-6.1.0-40-amd64
}
menuentry 'Debian GNU/Linux, recovery' {
	linux	/boot/vmlinuz-6.1.0-40-amd64 root=UUID=1111 ro single
	initrd	/boot/initrd.img-6.1.0-40-amd64
}
`;

const entry = `title A system
linux /vmlinuz-5.14.0-427.el9.x86_64
initrd /initramfs-5.14.0-427.el9.x86_64.img $tuned_initrd
options root=UUID=2222 ro rd.md.uuid=1:2:3:4 $tuned_params
`;

test("GRUB's menu: the first entry of that kernel", () => {
  expect(findBootCommand(menu, "vmlinuz-6.1.0-40-amd64")).toEqual({
    kernel: "vmlinuz-6.1.0-40-amd64",
    initramfs: "initrd.img-6.1.0-40-amd64",
    commandLine: 'root=UUID=1111 ro console=tty0 dyndbg="file x +p" quiet',
  });
  expect(findBootCommand(menu, "vmlinuz-6.2")).toBeUndefined();
});

test("a boot entry, without what only GRUB knows", () => {
  expect(findBootCommand(entry, "vmlinuz-5.14.0-427.el9.x86_64")).toEqual({
    kernel: "vmlinuz-5.14.0-427.el9.x86_64",
    initramfs: "initramfs-5.14.0-427.el9.x86_64.img",
    commandLine: "root=UUID=2222 ro rd.md.uuid=1:2:3:4",
  });
});

test.each([
  ["two of them", "linux /vmlinuz-1\ninitrd /ucode.img /initramfs-1.img\noptions ro\n"],
  ["none", "linux /vmlinuz-1\noptions ro\n"],
])("an initramfs is one file: %s", (_name, text) => {
  expect(findBootCommand(text, "vmlinuz-1")).toBeUndefined();
});

test("RHEL 7's menu for UEFI", () => {
  const text = menu.replaceAll("\tlinux\t", "\tlinuxefi ").replaceAll("\tinitrd\t", "\tinitrdefi ");
  expect(findBootCommand(text, "vmlinuz-6.1.0-40-amd64")?.initramfs).toBe("initrd.img-6.1.0-40-amd64");
});

let target: string;
beforeEach(async () => {
  target = await mkdtemp(join(tmpdir(), "boot-command-"));
});
afterEach(() => rm(target, { recursive: true }));

test.each([
  ["/boot/grub/grub.cfg", menu, "6.1.0-40-amd64"],
  ["/boot/grub2/grub.cfg", menu, "6.1.0-40-amd64"],
  ["/boot/loader/entries/id-5.14.conf", entry, "5.14.0-427.el9.x86_64"],
])("%s is looked into", async (path, text, release) => {
  await mkdir(dirname(join(target, path)), { recursive: true });
  await writeFile(join(target, path), text);
  expect(await readBootCommand(target, release)).toMatchObject({ kernel: `vmlinuz-${release}` });
  await expect(readBootCommand(target, "9.9")).rejects.toMatchObject({ code: "boot-command-unknown" });
});
