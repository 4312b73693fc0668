import { describe, expect, test } from "vitest";
import { editBootEntry, kernelOf } from "../../../installer/boot/bls-entry.ts";

/** As grub2's 20-grub.install of Red Hat Enterprise Linux 9 makes it. */
const entry = `title Red Hat Enterprise Linux (5.14.0-427.el9.x86_64) 9.4 (Plow)
version 5.14.0-427.el9.x86_64
linux /boot/vmlinuz-5.14.0-427.el9.x86_64
initrd /boot/initramfs-5.14.0-427.el9.x86_64.img $tuned_initrd
options root=UUID=11111111-2222-4333-8444-555555555555 ro console=ttyS0,115200n8 $tuned_params
grub_users $grub_users
grub_arg --unrestricted
grub_class rhel
`;

const edit = (text: string, bootPath: string) =>
  editBootEntry(text, { options: (words) => ["root=LABEL=new", ...words.slice(1)], bootPath });

describe("the paths are those that the boot loader sees", () => {
  test("where /boot is a file system of its own", () => {
    const edited = edit(entry, "");
    expect(edited).toContain("\nlinux /vmlinuz-5.14.0-427.el9.x86_64\n");
    expect(edited).toContain("\ninitrd /initramfs-5.14.0-427.el9.x86_64.img $tuned_initrd\n");
  });

  test("where it is a folder, whatever it was before", () => {
    const edited = edit(edit(entry, ""), "/boot");
    expect(edited).toContain("\nlinux /boot/vmlinuz-5.14.0-427.el9.x86_64\n");
    expect(edited).toContain("\ninitrd /boot/initramfs-5.14.0-427.el9.x86_64.img $tuned_initrd\n");
    expect(edit(edited, "/boot")).toBe(edited);
  });
});

test("all other lines stay, and the options of several lines become one", () => {
  const edited = edit(`${entry}options quiet\n\n`, "/boot");
  expect(edited.match(/^options .*$/gm)).toEqual([
    "options root=LABEL=new ro console=ttyS0,115200n8 $tuned_params quiet",
  ]);
  for (const line of entry.split("\n").filter((text) => !/^(linux|initrd|options)/.test(text))) {
    expect(edited).toContain(line);
  }
});

test("a kernel is known by its file's name", () => {
  expect(kernelOf(entry)).toBe("vmlinuz-5.14.0-427.el9.x86_64");
  expect(kernelOf("title nothing\n")).toBeUndefined();
});
