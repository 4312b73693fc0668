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
import { cpioOf } from "./image-tree.ts";

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

async function compress(program: string, option: string, bytes = main): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  await run(program, ["--compress", option, "--stdout"], {
    doing: "compressing an initramfs",
    input: bytes,
    consume: async (stdout) => {
      for await (const part of stdout) parts.push(part);
    },
  });
  return Buffer.concat(parts);
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
  it.each<[string, () => Buffer | Promise<Buffer>]>([
    ["plain", () => main],
    ["zstd", () => zstdCompressSync(main)],
    ["gzip behind microcode", () => Buffer.concat([early, gzipSync(main)])],
    ["zstd behind microcode and zeros", () => Buffer.concat([early, Buffer.alloc(512), zstdCompressSync(main)])],
    ["xz behind microcode", async () => Buffer.concat([early, await compress("xz", "--check=crc32")])],
    ["lz4 as the kernel takes it", () => compress("lz4", "-l")],
  ])("tells its modules and programs: %s", async (_, make) => {
    const path = join(folder, "initrd.img");
    await writeFile(path, await make());
    const { modules, programs } = await readInitramfs(path);
    expect([...modules].sort()).toEqual(["dm_mod", "raid1"]);
    expect([...programs].sort()).toEqual(["lvm", "mdadm"]);
  });

  it.each<[string, () => Buffer | Promise<Buffer>, string]>([
    ["cut off", () => main.subarray(0, main.length / 2), "initramfs-invalid"],
    ["damaged", () => zstdCompressSync(main).subarray(0, 90), "initramfs-invalid"],
    ["a bomb", () => gzipSync(Buffer.alloc(2 ** 20 + 1)), "initramfs-invalid"],
    ["a bomb of xz", () => compress("xz", "--check=crc32", Buffer.alloc(2 ** 22)), "initramfs-invalid"],
    ["cut off in xz", async () => (await compress("xz", "--check=crc32")).subarray(0, 200), "initramfs-invalid"],
    ["too large as it is", () => Buffer.alloc(2 ** 20 + 1), "initramfs-invalid"],
    [
      "of an unknown compression",
      () => Buffer.concat([early, Buffer.from("BZh9....")]),
      "initramfs-compression-unknown",
    ],
  ])("is refused when it is %s", async (_, make, code) => {
    const path = join(folder, "bad.img");
    await writeFile(path, await make());
    await expect(readInitramfs(path, 2 ** 20)).rejects.toMatchObject({ code });
  });

  it("tells what made it", async () => {
    const path = join(folder, "made.img");
    const read = async (bytes: Buffer) => {
      await writeFile(path, bytes);
      return (await readInitramfs(path)).generator;
    };
    expect(await read(cpioOf("conf/initramfs.conf", "init"))).toBe("initramfs-tools");
    expect(await read(cpioOf("usr/lib/dracut/build-parameter.txt"))).toBe("dracut");
    expect(await read(cpioOf("./lib/dracut-049", "init"))).toBe("dracut");
    expect(await read(cpioOf("init"))).toBeUndefined();
  });

  it("has systemd's program for LUKS among its programs, which lies elsewhere", async () => {
    const path = join(folder, "luks.img");
    await writeFile(path, cpioOf("usr/lib/systemd/systemd-cryptsetup", "usr/lib/systemd/systemd-udevd"));
    expect([...(await readInitramfs(path)).programs]).toEqual(["systemd-cryptsetup"]);
  });

  it("may not have members without end", () => {
    const member = cpioOf("a").subarray(0, 112);
    const members = Buffer.concat([...Array.from({ length: 2 ** 18 + 1 }, () => member), cpioOf()]);
    expect(() => readCpio(members)).toThrow(/more than 262144 members/);
  });

  it("may not have them in archives without end either", async () => {
    const path = join(folder, "many.img");
    const member = cpioOf("a").subarray(0, 112);
    const archive = Buffer.concat([...Array.from({ length: 2 ** 18 }, () => member), cpioOf()]);
    await writeFile(path, archive);
    expect((await readInitramfs(path)).programs.size).toBe(0);
    await writeFile(path, Buffer.concat([archive, archive]));
    await expect(readInitramfs(path)).rejects.toMatchObject({
      code: "initramfs-invalid",
      message: expect.stringMatching(/more than 262144 members/),
    });
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
