import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { replaceRoot, splitWords } from "../../../installer/boot/kernel-words.ts";

test("blanks within double quotes belong to a word", () => {
  expect(splitWords('  a "b c"=d dyndbg="file x.c +p"  e ')).toEqual(["a", '"b c"=d', 'dyndbg="file x.c +p"', "e"]);
  expect(splitWords("")).toEqual([]);
});

describe("what the vendor says of the disk is replaced", () => {
  const root = ["root=UUID=new", "ro"];

  test.each([
    "root=UUID=old",
    "rootfstype=xfs",
    "rootflags=subvol=root",
    "ro",
    "rw",
    "resume=/dev/mapper/rhel-swap",
    "resume_offset=1",
    "BOOT_IMAGE=(hd0,gpt3)/vmlinuz",
    "rd.lvm.lv=rhel/root",
    "rd.lvm=0",
    "rd.md=0",
    "rd.md.uuid=1:2:3:4",
    "rd.luks.uuid=luks-1",
    "rd.luks=0",
    "rd.dm=0",
    "rd.auto",
    "$kernelopts",
  ])("%s goes", (word) => {
    expect(replaceRoot(["quiet", word], root, [])).toEqual([...root, "quiet"]);
  });

  test.each([
    "crashkernel=1G-4G:192M,4G-64G:256M,64G-:512M",
    "console=tty0",
    "net.ifnames=0",
    "rootwait",
    "rodata=on",
    "rd.driver.blacklist=nouveau",
    "$tuned_params",
  ])("%s stays", (word) => {
    expect(replaceRoot([word], root, [])).toEqual([...root, word]);
  });
});

test("the last console is the job's", () => {
  const words = replaceRoot(["console=ttyS1", "console=tty0"], ["root=X"], ["console=tty0", "console=ttyS1"]);
  expect(words).toEqual(["root=X", "console=tty0", "console=ttyS1"]);
});

test("done twice it is as done once", () => {
  const word = fc.constantFrom("root=a", "ro", "quiet", "console=tty0", "console=ttyS0", "rd.lvm.lv=a/b", "x=1");
  fc.assert(
    fc.property(fc.array(word), fc.uniqueArray(word), (vendor, added) => {
      const once = replaceRoot(
        vendor,
        ["root=new", "rw"],
        added.filter((text) => !/root|ro|rd/.test(text)),
      );
      const again = replaceRoot(
        once,
        ["root=new", "rw"],
        added.filter((text) => !/root|ro|rd/.test(text)),
      );
      expect(again).toEqual(once);
    }),
  );
});
