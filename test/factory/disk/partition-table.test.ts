import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Failure } from "../../../common/failure.ts";
import { run } from "../../../common/run.ts";
import { readPartitionTable } from "../../../factory/disk/partition-table.ts";

const mebibyte = 2 ** 20;
const diskBytes = 16 * mebibyte;
let folder: string;
let disk: Buffer;

const read = (bytes: Buffer, sizeBytes = bytes.length) =>
  readPartitionTable({
    sizeBytes,
    read: async (offset, length) => {
      expect(offset + length).toBeLessThanOrEqual(sizeBytes);
      return bytes.subarray(offset, offset + length);
    },
  });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mbr-"));
  const path = join(folder, "disk.raw");
  await writeFile(path, "");
  await truncate(path, diskBytes);
  const lines = [
    "label: dos",
    "label-id: 0x00c0ffee",
    "start=2048, size=2048, type=83, bootable",
    "start=4096, size=16384, type=5",
    "start=6144, size=2048, type=82",
    "start=10240, size=2048, type=83",
    "start=14336, size=2048, type=8e",
  ];
  await run("sfdisk", ["-q", path], { doing: "partitioning", input: `${lines.join("\n")}\n` });
  disk = await readFile(path);
});
afterAll(() => rm(folder, { recursive: true }));

function changed(change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(disk);
  change(copy);
  return copy;
}
/** Where the entry lies in a sector: type at 4, first sector at 8, number of sectors at 12. */
const entry = (sector: number, index: number) => sector * 512 + 446 + index * 16;

describe("an MBR that sfdisk wrote", () => {
  it("has its primary and logical partitions, without the extended one", async () => {
    const partition = (number: number, type: string, start: number) => ({
      number,
      type,
      name: "",
      uuid: `00c0ffee-0${number}`,
      attributeBits: [],
      offsetBytes: start * 512,
      sizeBytes: mebibyte,
    });
    expect(await read(disk)).toEqual({
      kind: "mbr",
      partitions: [
        partition(1, "0x83", 2048),
        partition(5, "0x82", 6144),
        partition(6, "0x83", 10240),
        partition(7, "0x8e", 14336),
      ],
    });
  });
});

describe("a hostile MBR", () => {
  it.each<[string, (copy: Buffer) => void, string]>([
    ["a partition beyond the disk", (copy) => copy.writeUInt32LE(2 ** 32 - 1, entry(0, 0) + 12), "inside the disk"],
    ["a partition over the MBR", (copy) => copy.writeUInt32LE(0, entry(0, 0) + 8), "inside the disk"],
    ["overlapping partitions", (copy) => copy.writeUInt32LE(4096, entry(0, 0) + 12), "overlaps"],
    ["two extended partitions", (copy) => copy.writeUInt8(0x0f, entry(0, 0) + 4), "more than one extended"],
    ["a circle of logical ones", (copy) => copy.writeUInt32LE(0, entry(8192, 1) + 8), "in a circle"],
    [
      "a chain out of the extended one",
      (copy) => copy.writeUInt32LE(20000, entry(4096, 1) + 8),
      "outside the extended",
    ],
    ["a logical one that is too long", (copy) => copy.writeUInt32LE(20000, entry(4096, 0) + 12), "inside the disk"],
    ["a chain into data", (copy) => copy.writeUInt32LE(100, entry(4096, 1) + 8), "not an extended boot record"],
    ["a GPT that is none", (copy) => copy.writeUInt8(0xee, entry(0, 0) + 4), "there is none"],
    ["a GPT beside it", (copy) => copy.write("EFI PART", 512, "latin1"), "without a protective MBR"],
  ])("is refused: %s", async (_, change, message) => {
    await expect(read(changed(change))).rejects.toMatchObject({
      code: "partition-table-invalid",
      kind: "integrity",
      message: expect.stringContaining(message),
    });
  });

  it("is refused with more logical partitions than any disk has", async () => {
    const copy = changed(() => {});
    const [first, next] = [entry(4096, 0), entry(4096, 1)];
    for (let index = 0; index < 100; index += 1) {
      const sector = 4096 + index * 4;
      copy.copyWithin(sector * 512, 4096 * 512, 4097 * 512);
      copy.writeUInt32LE(1, sector * 512 + (first % 512) + 8);
      copy.writeUInt32LE(1, sector * 512 + (first % 512) + 12);
      copy.writeUInt32LE((index + 1) * 4, sector * 512 + (next % 512) + 8);
    }
    await expect(read(copy)).rejects.toMatchObject({ message: expect.stringContaining("more than 60 logical") });
  });

  it("ends in partitions inside the disk or in a typed failure, whatever its bytes", async () => {
    const sectors = fc.constantFrom(0, 4096, 8192, 12288);
    const patch = fc.tuple(sectors, fc.integer({ min: 440, max: 511 }), fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(patch), fc.integer({ min: 0, max: diskBytes }), async (patches, sizeBytes) => {
        const bytes = changed((copy) => {
          for (const [sector, offset, value] of patches) copy.writeUInt8(value, sector * 512 + offset);
        });
        try {
          let end = 0;
          for (const { offsetBytes, sizeBytes: length } of (await read(bytes, sizeBytes)).partitions) {
            expect(offsetBytes).toBeGreaterThanOrEqual(end);
            end = offsetBytes + length;
          }
          expect(end).toBeLessThanOrEqual(sizeBytes);
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
        }
      }),
    );
  });
});

describe("a disk without partitions", () => {
  it("is one volume, whatever its size", async () => {
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(700), Buffer.alloc(mebibyte)]) {
      expect(await read(bytes)).toMatchObject({ kind: "none", partitions: [{ number: 0, sizeBytes: bytes.length }] });
    }
  });

  it("may begin with the boot sector of a FAT, which is signed like an MBR", async () => {
    const path = join(folder, "fat.raw");
    await writeFile(path, "");
    await truncate(path, mebibyte);
    await run("mkfs.vfat", [path], { doing: "making a vfat" });
    expect(await read(await readFile(path))).toMatchObject({ kind: "none" });
  });
});

describe("a GPT with sectors of 4,096 bytes", () => {
  it("is read with those", async () => {
    const bytes = Buffer.alloc(mebibyte);
    bytes.writeUInt16LE(0xaa55, 510);
    bytes.writeUInt8(0xee, entry(0, 0) + 4);
    bytes.writeUInt32LE(255, entry(0, 0) + 12);
    const table = bytes.subarray(2 * 4096, 2 * 4096 + 128);
    table.fill(0x11, 0, 32);
    table.writeBigUInt64LE(6n, 32);
    table.writeBigUInt64LE(9n, 40);
    const header = bytes.subarray(4096, 4096 + 92);
    header.write("EFI PART", 0, "latin1");
    header.writeUInt32LE(92, 12);
    for (const [offset, value] of [
      [24, 1n],
      [40, 6n],
      [48, 250n],
      [72, 2n],
    ] as const)
      header.writeBigUInt64LE(value, offset);
    header.writeUInt32LE(1, 80);
    header.writeUInt32LE(128, 84);
    header.writeUInt32LE(crc32(table), 88);
    header.writeUInt32LE(crc32(header), 16);
    expect(await read(bytes)).toMatchObject({
      kind: "gpt",
      partitions: [{ offsetBytes: 6 * 4096, sizeBytes: 4 * 4096 }],
    });
  });
});
