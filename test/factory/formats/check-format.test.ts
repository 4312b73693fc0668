import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Failure } from "../../../common/failure.ts";
import { run } from "../../../common/run.ts";
import { checkFormat } from "../../../factory/formats/check-format.ts";
import { type ImageFormat, imageFormatSchema } from "../../../factory/image-format.ts";
import { writeOva } from "../../lab/ova.ts";
import { qemuConvert, writeBytes } from "./images.ts";

let directory: string;
const files = new Map<string, string>();
const mebibyte = Buffer.alloc(2 ** 20);

const edited = (bytes: Buffer, edit: (copy: Buffer) => unknown) => {
  const copy = Buffer.from(bytes);
  edit(copy);
  return copy;
};
const mbr = edited(mebibyte, (disk) => disk.writeUInt16BE(0x55aa, 510));

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "check-format-"));
  const add = async (name: string, make: (file: string) => Promise<unknown>) => {
    const file = join(directory, name.replaceAll(" ", "-"));
    await make(file);
    files.set(name, file);
  };
  const make = (program: string, ...args: string[]) => run(program, args, { doing: "making an image" });
  const formatted =
    (program: string, ...args: string[]) =>
    async (file: string) => {
      await writeFile(file, "");
      await truncate(file, 512 * 2 ** 20);
      await make(program, ...args, file);
    };
  await add("mbr", (file) => writeBytes(file, mbr));
  await add("gpt", formatted("sgdisk", "-n", "1:0:0"));
  await add("ext4", formatted("mkfs.ext4", "-q"));
  await add("qcow2", (file) => qemuConvert(files.get("mbr") ?? "", file, "qcow2"));
  await add("small qcow2", (file) => qemuConvert(files.get("mbr") ?? "", file, "qcow2", "-o", "cluster_size=512"));
  await add("vmdk", (file) => qemuConvert(files.get("mbr") ?? "", file, "vmdk"));
  await add("vdi", (file) => qemuConvert(files.get("mbr") ?? "", file, "vdi"));
  await add("vhd", (file) => qemuConvert(files.get("mbr") ?? "", file, "vpc"));
  await add("fixed vhd", (file) => qemuConvert(files.get("mbr") ?? "", file, "vpc", "-o", "subformat=fixed"));
  await add("vhdx", (file) => qemuConvert(files.get("mbr") ?? "", file, "vhdx"));
  await add("qed", (file) => qemuConvert(files.get("mbr") ?? "", file, "qed"));
  await add("parallels", (file) => qemuConvert(files.get("mbr") ?? "", file, "parallels"));
  await add("ova", (file) => writeOva(files.get("mbr") ?? "", file));
  await add("tar", (file) => make("tar", "-cf", file, "-C", directory, "mbr"));
  await add("gzip", (file) => writeBytes(file, gzipSync(mbr)));
  await add("zstd", (file) => writeBytes(file, zstdCompressSync(mbr)));
  await add("xz", (file) =>
    run("xz", ["--stdout", files.get("mbr") ?? ""], {
      doing: "compressing",
      consume: async (stdout) => writeFile(file, stdout),
    }),
  );
  await add("cpio", (file) => writeBytes(file, Buffer.concat([Buffer.from("070701"), mebibyte])));
  await add("luks", (file) => writeBytes(file, Buffer.concat([Buffer.from("LUKS\xba\xbe", "latin1"), mebibyte])));
  await add("iso", async (file) => {
    const tree = await mkdtemp(join(directory, "tree-"));
    await writeFile(join(tree, "file"), "xorriso writes no empty image");
    await make("xorriso", "-as", "mkisofs", "-quiet", "-o", file, tree);
  });
  await add("zeros", (file) => writeBytes(file, mebibyte));
  await add("empty", (file) => writeBytes(file, Buffer.alloc(0)));
});
afterAll(() => rm(directory, { recursive: true }));

/** What each file may be declared. All else is a mismatch, or, of one that reads as several, ambiguous. */
const accepted: Record<string, ImageFormat[]> = {
  mbr: ["raw"],
  gpt: ["raw"],
  ext4: ["raw"],
  qcow2: ["qcow2"],
  "small qcow2": ["qcow2"],
  vmdk: ["vmdk"],
  // The formats of what is inside are checked when it comes out.
  ova: ["ova", "tar"],
  tar: ["ova", "tar"],
  gzip: ["raw.gz", "tar.gz"],
  zstd: ["raw.zst", "tar.zst"],
  xz: ["raw.xz", "tar.xz"],
};
const all = [
  ...Object.keys(accepted),
  ...["vdi", "vhd", "fixed vhd", "vhdx", "qed", "parallels", "cpio", "luks", "iso", "zeros", "empty"],
];

test.for(all)("%s passes as what it is, and as nothing else", async (name) => {
  const file = files.get(name) ?? "";
  for (const format of imageFormatSchema.options) {
    const check = checkFormat(file, format);
    if (accepted[name]?.includes(format)) await check;
    else await expect(check).rejects.toMatchObject({ kind: "integrity", code: expect.stringMatching(/^format-/) });
  }
});

describe("a file that reads as two formats is refused", () => {
  const at = (offset: number, bytes: string) => (copy: Buffer) =>
    copy.write(bytes, offset < 0 ? copy.length + offset : offset, "latin1");

  test.for<[string, ImageFormat, string, (copy: Buffer) => unknown]>([
    ["raw disk and qcow2", "raw", "mbr", at(0, "QFI\xfb")],
    ["raw disk and VMDK", "raw", "mbr", at(0, "KDMV")],
    ["raw disk and VMDK descriptor", "raw", "mbr", at(0, "# Disk DescriptorFile")],
    ["raw disk and VMDK descriptor, as QEMU finds it", "raw", "mbr", at(0, "# \n  \n\r\nversion=1\n")],
    ["raw disk and VHD, by its footer", "raw", "mbr", at(-512, "conectix")],
    ["raw disk and VHD, by its old footer", "raw", "mbr", at(-511, "conectix")],
    ["raw disk and VDI", "raw", "mbr", at(64, "\x7f\x10\xda\xbe")],
    ["raw disk and LUKS", "raw", "mbr", at(0, "LUKS\xba\xbe")],
    ["raw disk and tar", "raw", "mbr", at(257, "ustar")],
    ["raw disk and CD", "raw", "mbr", at(32769, "CD001")],
    ["raw disk and squashfs", "raw", "mbr", at(0, "hsqs")],
    ["qcow2 and MBR disk", "qcow2", "qcow2", at(510, "\x55\xaa")],
    ["qcow2 and GPT disk", "qcow2", "qcow2", at(512, "EFI PART")],
    ["qcow2 and CD", "qcow2", "qcow2", at(32769, "CD001")],
    ["qcow2 and VHD", "qcow2", "qcow2", at(-512, "conectix")],
    ["qcow2 and tar", "qcow2", "qcow2", at(257, "ustar")],
    ["VMDK and MBR disk", "vmdk", "vmdk", at(510, "\x55\xaa")],
    ["VMDK and tar", "vmdk", "vmdk", at(257, "ustar")],
    ["OVA and MBR disk", "ova", "ova", at(510, "\x55\xaa")],
    ["OVA and CD", "ova", "ova", at(32769, "CD001")],
    ["OVA and qcow2", "ova", "ova", at(0, "QFI\xfb")],
    ["tar and VHD", "tar", "tar", at(-512, "conectix")],
    ["gzip and tar", "tar.gz", "gzip", at(257, "ustar")],
  ])("%s", async ([name, format, base, edit]) => {
    const bytes = await readFile(files.get(base) ?? "");
    const file = await writeBytes(join(directory, `two-${name.replaceAll(/\W+/g, "-")}`), edited(bytes, edit));
    await expect(checkFormat(file, format)).rejects.toMatchObject({ code: "format-ambiguous", kind: "integrity" });
  });

  test("unless it is a raw disk whose boot code has a byte or two in common with one", async () => {
    const file = await writeBytes(
      join(directory, "grub"),
      edited(mbr, (disk) => disk.write("\xeb\x63\x90", "latin1")),
    );
    await checkFormat(file, "raw");
  });
});

test("bytes of any kind and length are accepted or refused by a typed failure", async () => {
  const file = join(directory, "any");
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 2048 }),
      fc.nat(2 ** 18),
      fc.constantFrom(...imageFormatSchema.options),
      async (bytes, length, format) => {
        await writeFile(file, bytes);
        await truncate(file, length);
        await checkFormat(file, format).catch((error: unknown) => expect(error).toBeInstanceOf(Failure));
      },
    ),
    { numRuns: 60 },
  );
});
