import { link, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Failure } from "../../common/failure.ts";
import { run } from "../../common/run.ts";
import { readCpio } from "../../factory/cpio.ts";
import { moduleName, readInitramfs } from "../../factory/initramfs.ts";

let folder: string;
let early: Buffer;
let main: Buffer;

/** Made by GNU cpio, as mkinitramfs makes it. */
async function makeCpio(name: string, files: string[]): Promise<Buffer> {
  const root = join(folder, name);
  for (const file of files) {
    await mkdir(join(root, file, ".."), { recursive: true });
    await writeFile(join(root, file), file);
  }
  if (name === "main") {
    await symlink("mdadm", join(root, "sbin/mdmon"));
    await link(join(root, "bin/busybox"), join(root, "bin/fsck"));
  }
  const list = await run("find", [".", "-print0"], { doing: "listing", cwd: root });
  const archive = join(folder, `${name}.cpio`);
  const options = ["--null", "--create", "--format=newc", `--file=${archive}`];
  await run("cpio", options, { doing: "making an initramfs", cwd: root, input: list.stdout });
  return readFile(archive);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "initramfs-"));
  early = await makeCpio("early", ["kernel/x86/microcode/GenuineIntel.bin"]);
  const modules = [
    "usr/lib/modules/6.1/kernel/drivers/md/raid1.ko",
    "usr/lib/modules/6.1/kernel/drivers/md/dm-mod.ko.xz",
  ];
  main = await makeCpio("main", ["sbin/mdadm", "usr/bin/lvm", "bin/busybox", "etc/mdadm/mdadm.conf", ...modules]);
});
afterAll(() => rm(folder, { recursive: true }));

describe("an initramfs", () => {
  it.each<[string, () => Buffer]>([
    ["plain", () => main],
    ["zstd", () => zstdCompressSync(main)],
    ["gzip behind microcode", () => Buffer.concat([early, gzipSync(main)])],
    ["zstd behind microcode and zeros", () => Buffer.concat([early, Buffer.alloc(512), zstdCompressSync(main)])],
  ])("tells its modules and programs: %s", async (_, make) => {
    const path = join(folder, "initrd.img");
    await writeFile(path, make());
    const { modules, programs } = await readInitramfs(path);
    expect([...modules].sort()).toEqual(["dm_mod", "raid1"]);
    expect([...programs].sort()).toEqual(["lvm", "mdadm"]);
  });

  it.each<[string, () => Buffer, string]>([
    ["cut off", () => main.subarray(0, main.length / 2), "initramfs-invalid"],
    ["damaged", () => zstdCompressSync(main).subarray(0, 90), "initramfs-invalid"],
    ["a bomb", () => gzipSync(Buffer.alloc(2 ** 20 + 1)), "initramfs-invalid"],
    [
      "of an unknown compression",
      () => Buffer.concat([early, Buffer.from("BZh9....")]),
      "initramfs-compression-unknown",
    ],
  ])("is refused when it is %s", async (_, make, code) => {
    const path = join(folder, "bad.img");
    await writeFile(path, make());
    await expect(readInitramfs(path, 2 ** 20)).rejects.toMatchObject({ code });
  });

  it("ends in members or a typed failure, whatever its bytes", () => {
    const changes = fc.array(fc.tuple(fc.nat(main.length - 1), fc.nat(255)), { maxLength: 8 });
    fc.assert(
      fc.property(changes, (patches) => {
        const bytes = Buffer.from(main);
        for (const [offset, value] of patches) bytes.writeUInt8(value, offset);
        try {
          expect(readCpio(bytes).endOffset).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
        }
      }),
    );
  });
});

describe("a module's name", () => {
  it("is the one that modprobe takes", () => {
    expect(moduleName("kernel/drivers/md/dm-mod.ko.zst")).toBe("dm_mod");
    expect(moduleName("etc/modules")).toBeUndefined();
  });
});
