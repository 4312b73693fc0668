import { lstat, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { formatGrubEnvironment, parseGrubEnvironment } from "../../../installer/boot/grub-environment.ts";
import { writeBlsEntries } from "../../../installer/boot/write-bls-entries.ts";

let target: string;
beforeEach(async () => {
  target = await mkdtemp(join(tmpdir(), "boot-entries-"));
});
afterEach(() => rm(target, { recursive: true }));

const write = async (path: string, content: string) => {
  await mkdir(dirname(join(target, path)), { recursive: true });
  await writeFile(join(target, path), content);
};
const read = (path: string) => readFile(join(target, path), "utf8");
const entries = "/boot/loader/entries";
const entry = (kernel: string, options: string) =>
  `title A system\nlinux /vmlinuz-${kernel}\ninitrd /initramfs-${kernel}.img\noptions ${options}\n`;

const work = (fields: object = {}) =>
  writeBlsEntries({
    kind: "bls-entries",
    name: "bls-entries",
    title: "write the boot entries",
    target,
    kernels: ["6.2", "6.1"],
    root: ["root=UUID=new", "ro", "rd.md.uuid=1:2:3:4"],
    added: ["console=ttyS0"],
    bootPath: "",
    ...fields,
  });

const ours = "root=UUID=new ro rd.md.uuid=1:2:3:4";

describe("Red Hat Enterprise Linux 9 and later", () => {
  beforeEach(async () => {
    await write(`${entries}/id-6.1.conf`, entry("6.1", "root=UUID=old ro crashkernel=1G"));
    await write(`${entries}/id-6.2.conf`, entry("6.2", "root=UUID=old ro quiet $tuned_params"));
    await write(`${entries}/id-0-rescue.conf`, entry("0-rescue-id", "root=UUID=old ro"));
  });

  test("every entry keeps its own arguments and gets this server's", async () => {
    await work();
    expect(await read(`${entries}/id-6.1.conf`)).toContain(`options ${ours} crashkernel=1G console=ttyS0\n`);
    expect(await read(`${entries}/id-6.2.conf`)).toContain(`options ${ours} quiet $tuned_params console=ttyS0\n`);
    expect(await read(`${entries}/id-0-rescue.conf`)).toContain(`options ${ours} console=ttyS0\n`);
  });

  test("later kernels get what the newest one has, or what the vendor wrote for them", async () => {
    await work();
    expect(await read("/etc/kernel/cmdline")).toBe(`${ours} quiet $tuned_params console=ttyS0\n`);
    await write("/etc/kernel/cmdline", "root=UUID=old rw mitigations=auto\n");
    await work();
    expect(await read("/etc/kernel/cmdline")).toBe(`${ours} mitigations=auto console=ttyS0\n`);
  });

  test("a kernel without an entry is told", async () => {
    await rm(join(target, `${entries}/id-6.1.conf`));
    await expect(work()).rejects.toMatchObject({
      code: "boot-entry-missing",
      message: expect.stringContaining("the kernel 6.1"),
    });
    expect(await read(`${entries}/id-6.2.conf`)).toContain("root=UUID=old");
  });
});

describe("Red Hat Enterprise Linux 8", () => {
  beforeEach(async () => {
    await write(`${entries}/id-6.2.conf`, entry("6.2", "$kernelopts"));
    const variables = new Map([
      ["saved_entry", "id-6.2"],
      ["kernelopts", "root=UUID=old ro crashkernel=auto"],
    ]);
    await write("/boot/efi/EFI/redhat/grubenv", formatGrubEnvironment(variables) ?? "");
    await mkdir(join(target, "boot/grub2"));
    await symlink("../efi/EFI/redhat/grubenv", join(target, "boot/grub2/grubenv"));
  });

  test("arguments from GRUB's environment, which becomes a file where GRUB looks for it", async () => {
    await work({ kernels: ["6.2"] });
    const options = `${ours} crashkernel=auto console=ttyS0`;
    expect(await read(`${entries}/id-6.2.conf`)).toContain(`options ${options}\n`);
    expect((await lstat(join(target, "boot/grub2/grubenv"))).isFile()).toBe(true);
    expect(parseGrubEnvironment(await read("/boot/grub2/grubenv"))).toEqual(
      new Map([
        ["saved_entry", "id-6.2"],
        ["kernelopts", options],
      ]),
    );
  });

  test("too many arguments for it", async () => {
    await expect(work({ kernels: ["6.2"], added: [`x=${"y".repeat(1000)}`] })).rejects.toMatchObject({
      code: "grub-environment-full",
    });
  });
});

test("nothing is written through a link that leads out of the target", async () => {
  const outside = await mkdtemp(join(tmpdir(), "outside-"));
  await mkdir(join(target, "boot/loader"), { recursive: true });
  await symlink(outside, join(target, entries));
  await writeFile(join(outside, "id-6.2.conf"), entry("6.2", "root=UUID=old"));
  await expect(work({ kernels: ["6.2"] })).rejects.toMatchObject({ code: "boot-entry-missing" });
  expect(await readFile(join(outside, "id-6.2.conf"), "utf8")).toContain("root=UUID=old");
  await rm(outside, { recursive: true });
});
