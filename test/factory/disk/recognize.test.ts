import { mkdtemp, open, rm } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../common/run.ts";
import { DiskFile } from "../../../factory/disk/block-source.ts";
import { recognizeFileSystem } from "../../../factory/disk/recognize.ts";
import { FileSystemMaker, makeEmpty } from "./make-disk.ts";

const uuid = "12345678-9abc-4def-8123-456789abcdef";
let folder: string;
let make: FileSystemMaker;

beforeAll(async () => {
  folder = await mkdtemp("/var/tmp/recognize-");
  make = new FileSystemMaker(folder);
});
afterAll(() => rm(folder, { recursive: true }));

async function recognize(path: string) {
  await using disk = await DiskFile.open(path);
  return await recognizeFileSystem(disk);
}

async function patch(path: string, ...changes: [offset: number, bytes: string | Buffer][]): Promise<string> {
  await using file = await open(path, "r+");
  for (const [offset, bytes] of changes) await file.write(Buffer.from(bytes), 0, bytes.length, offset);
  return path;
}

const empty = () => makeEmpty(join(folder, "empty"), 1);

describe("a file system is told with its UUID and label", () => {
  it.each(["ext2", "ext3", "ext4"])("%s", async (kind) => {
    const image = await make.ext({}, ["-U", uuid, "-L", "sixteen-letters!"], kind);
    const journal = kind === "ext2" ? {} : { journal: "clean" };
    expect(await recognize(image)).toEqual({
      kind,
      uuid,
      label: "sixteen-letters!",
      claimedBytes: 16 * 2 ** 20,
      ...journal,
    });
  });

  it("xfs", async () => {
    const image = await make.xfs({}, ["-m", `uuid=${uuid}`, "-L", "twelve-chars"]);
    expect(await recognize(image)).toMatchObject({
      kind: "xfs",
      uuid,
      label: "twelve-chars",
      claimedBytes: 300 * 2 ** 20,
    });
  });

  it("btrfs", async () => {
    const image = await make.btrfs({}, "true", ["-U", uuid, "-L", "fedora"]);
    const claimedBytes = 128 * 2 ** 20;
    expect(await recognize(image)).toEqual({ kind: "btrfs", uuid, label: "fedora", claimedBytes, journal: "clean" });
  });

  it.each([
    ["12", 4],
    ["16", 16],
    ["32", 64],
  ])("vfat with FAT%s", async (bits, size) => {
    const image = await make.vfat({}, ["-F", bits, "-i", "00ABCDEF", "-n", "UEFI"], size);
    expect(await recognize(image)).toEqual({
      kind: "vfat",
      uuid: "00AB-CDEF",
      label: "UEFI",
      claimedBytes: size * 2 ** 20,
    });
  });

  it("vfat without a label", async () => {
    expect(await recognize(await make.vfat({}))).toMatchObject({ kind: "vfat", label: "" });
  });

  it("swap", async () => {
    const image = await empty();
    await run("mkswap", ["-U", uuid, "-L", "SWAP", image], { doing: "making swap" });
    expect(await recognize(image)).toEqual({ kind: "swap", uuid, label: "SWAP" });
  });

  it("ISO 9660", async () => {
    const image = join(folder, "cd.iso");
    await run("xorriso", ["-as", "mkisofs", "-quiet", "-V", "config-2", "-o", image, import.meta.filename], {
      doing: "making an ISO",
    });
    expect(await recognize(image)).toMatchObject({ kind: "iso9660", label: "config-2" });
  });
});

describe("what cannot be read is named with the reason", () => {
  it("LUKS", async () => {
    const image = await patch(await empty(), [0, Buffer.from("4c554b53babe0002", "hex")], [168, uuid]);
    const unreadable = "it is encrypted with LUKS";
    expect(await recognize(image)).toEqual({ kind: "luks", uuid, label: "", unreadable });
  });

  it.each(["1.0", "1.1", "1.2", "0.90"])(
    "a member of an md array, metadata %s, whatever else it looks like",
    async (version) => {
      const image = await make.ext({});
      const size = 16 * 2 ** 20;
      const places: Record<string, number> = { "1.0": size - 8192, "1.1": 0, "1.2": 4096, "0.90": size - 65536 };
      await patch(image, [places[version] ?? -1, Buffer.from("fc4e2ba9", "hex")]);
      expect(await recognize(image)).toMatchObject({ kind: "md", unreadable: expect.stringContaining("md array") });
    },
  );

  it("two kinds at once", async () => {
    const image = await patch(await make.ext({}), [0, "XFSB"]);
    expect(await recognize(image)).toMatchObject({
      kind: "ambiguous",
      unreadable: "it bears the marks of ext4 and xfs",
    });
  });

  it("a file system that claims more than its partition has", async () => {
    for (const image of [await make.ext({}), await make.vfat({}), await make.btrfs({}, "true")]) {
      await using file = await open(image, "r+");
      await file.truncate((await file.stat()).size - 4096);
      expect(await recognize(image)).toMatchObject({ unreadable: expect.stringContaining("claims") });
    }
  });

  it("a btrfs on several devices", async () => {
    const image = await patch(await make.btrfs({}, "true"), [65536 + 0x88, Buffer.from([2])]);
    expect(await recognize(image)).toMatchObject({ unreadable: "it lies on 2 devices" });
  });

  it("a journal that was not played back", async () => {
    const image = await make.ext({});
    await using file = await open(image);
    const { buffer } = await file.read({ buffer: Buffer.alloc(4), position: 1024 + 0x60 });
    await patch(image, [1024 + 0x60, Buffer.from([buffer.readUInt8(0) | 0x4])]);
    expect(await recognize(image)).toMatchObject({ journal: "dirty" });
  });

  it("nothing at all", async () => {
    expect(await recognize(await empty())).toEqual({ kind: "unknown", uuid: "", label: "" });
  });
});

describe("a hostile superblock", () => {
  it("ends in a description, whatever its bytes and however short it is", async () => {
    const marks: [number, string][] = [
      [0, "XFSB"],
      [510, "55aa"],
      [1024 + 0x38, "53ef"],
      [65536 + 0x40, "_BHRfS_M"],
      [4086, "SWAPSPACE2"],
    ];
    const mark = fc.constantFrom(...marks);
    const bytes = fc.array(fc.tuple(fc.nat(2048), fc.nat(255)));
    await fc.assert(
      fc.asyncProperty(mark, bytes, fc.nat(70_000), fc.boolean(), async ([at, text], patches, sizeBytes, whole) => {
        const content = Buffer.alloc(70_000);
        for (const [offset, value] of patches)
          content.writeUInt8(value, (at >= 65536 && offset % 2 ? 65536 : 0) + offset);
        content.write(text, at, /^[0-9a-f]+$/.test(text) ? "hex" : "latin1");
        const size = whole ? content.length : sizeBytes;
        const read = async (offset: number, length: number) => {
          expect(offset + length).toBeLessThanOrEqual(size);
          return content.subarray(offset, offset + length);
        };
        const found = await recognizeFileSystem({ sizeBytes: size, read });
        const readable = found.unreadable === undefined && found.claimedBytes !== undefined;
        if (readable) expect(found.claimedBytes).toBeLessThanOrEqual(size);
      }),
    );
  });
});
