import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { Failure } from "../../../common/failure.ts";
import { run } from "../../../common/run.ts";
import type { Partition } from "../../../factory/disk/partition.ts";
import { readPartitionTable } from "../../../factory/disk/partition-table.ts";

const diskBytes = 16 * 2 ** 20;
let disk: Buffer;

/** The disk's first bytes are what a test changes; the others are zeros. */
const readTable = (head: Buffer, sizeBytes = diskBytes) =>
  readPartitionTable({
    sizeBytes,
    read: async (offset, length) => {
      expect(offset + length).toBeLessThanOrEqual(sizeBytes);
      return Buffer.concat([head.subarray(offset, offset + length)], length);
    },
  });
const read = async (bytes: Buffer, sizeBytes?: number): Promise<Partition[]> =>
  (await readTable(bytes, sizeBytes)).partitions;

/** A copy in which a change of the header or the entries has right checksums again. */
function forge(change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(disk);
  change(copy);
  copy.writeUInt32LE(crc32(copy.subarray(1024, 1024 + 128 * 128)), 512 + 88);
  copy.writeUInt32LE(0, 512 + 16);
  copy.writeUInt32LE(crc32(copy.subarray(512, 512 + 92)), 512 + 16);
  return copy;
}

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "gpt-"));
  const path = join(folder, "disk.raw");
  await writeFile(path, "");
  await truncate(path, diskBytes);
  const layout = [
    "-n",
    "1:8192:0",
    "-t",
    "1:8304",
    "-c",
    "1:root",
    "-u",
    "1:01234567-89AB-4CDE-8F01-23456789ABCD",
    "-A",
    "1:set:60",
    "-A",
    "1:set:63",
    "-n",
    "14:2048:4095",
    "-t",
    "14:ef02",
  ];
  await run("sgdisk", [...layout, "-n", "15:4096:8191", "-t", "15:ef00", path], { doing: "partitioning" });
  disk = (await readFile(path)).subarray(0, 64 * 1024);
  await rm(folder, { recursive: true });
});

describe("a partition table that sgdisk wrote", () => {
  it("is read in the order of the disk", async () => {
    const guid = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    const [small, all] = [{ name: "", attributeBits: [], uuid: guid }, await read(disk)];
    expect(all).toEqual([
      {
        ...small,
        number: 14,
        type: "21686148-6449-6E6F-744E-656564454649",
        offsetBytes: 2 ** 20,
        sizeBytes: 2 ** 20,
      },
      {
        ...small,
        number: 15,
        type: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
        offsetBytes: 2 ** 21,
        sizeBytes: 2 ** 21,
      },
      {
        number: 1,
        type: "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",
        name: "root",
        uuid: "01234567-89ab-4cde-8f01-23456789abcd",
        attributeBits: [60, 63],
        offsetBytes: 2 ** 22,
        sizeBytes: expect.any(Number),
      },
    ]);
    expect((await readTable(disk)).kind).toBe("gpt");
  });

  it("reads a partition up to its last sector", async () => {
    const root = (await read(disk)).at(-1);
    expect((root?.offsetBytes ?? 0) + (root?.sizeBytes ?? 0)).toBeGreaterThan(diskBytes - 2 ** 20);
  });
});

describe("a hostile partition table", () => {
  it.each<[string, (copy: Buffer) => void]>([
    ["a header of 4 GiB", (copy) => copy.writeUInt32LE(0xffffffff, 512 + 12)],
    ["4 billion entries", (copy) => copy.writeUInt32LE(0xffffffff, 512 + 80)],
    ["no entries", (copy) => copy.writeUInt32LE(0, 512 + 80)],
    ["entries of 129 bytes", (copy) => copy.writeUInt32LE(129, 512 + 84)],
    ["a table beyond the disk", (copy) => copy.writeBigUInt64LE(2n ** 60n, 512 + 72)],
    ["a header that lies elsewhere", (copy) => copy.writeBigUInt64LE(2n, 512 + 24)],
    ["a last sector beyond the disk", (copy) => copy.writeBigUInt64LE(2n ** 63n, 1024 + 40)],
    ["a partition that ends before it starts", (copy) => copy.writeBigUInt64LE(8191n, 1024 + 40)],
    ["a partition over the table", (copy) => copy.writeBigUInt64LE(1n, 1024 + 32)],
    ["overlapping partitions", (copy) => copy.writeBigUInt64LE(4096n, 1024 + 32)],
  ])("is refused: %s", async (_, change) => {
    await expect(read(forge(change))).rejects.toMatchObject({ code: "partition-table-invalid", kind: "integrity" });
  });

  it("is refused where a checksum is wrong", async () => {
    for (const offset of [512 + 40, 1024 + 56]) {
      const copy = Buffer.from(disk);
      copy.writeUInt8(copy.readUInt8(offset) ^ 1, offset);
      await expect(read(copy)).rejects.toMatchObject({ message: expect.stringContaining("checksum is wrong") });
    }
  });

  it("is refused without its protective MBR, which other programs would not take for a GPT", async () => {
    const copy = Buffer.from(disk);
    copy.fill(0, 446, 512);
    await expect(read(copy)).rejects.toMatchObject({ message: expect.stringContaining("protective MBR") });
  });

  it("is refused where the primary table is damaged, although the backup is whole", async () => {
    const copy = Buffer.from(disk);
    copy.fill(0, 512, 1024);
    await expect(read(copy)).rejects.toMatchObject({ message: expect.stringContaining("there is none") });
  });

  it("ends in partitions inside the disk or in a typed failure, whatever its bytes", async () => {
    const patches = fc.array(fc.tuple(fc.integer({ min: 440, max: 1024 + 4 * 128 }), fc.integer({ max: 255, min: 0 })));
    await fc.assert(
      fc.asyncProperty(patches, fc.integer({ min: 0, max: diskBytes }), async (changes, sizeBytes) => {
        const bytes = forge((copy) => {
          for (const [offset, value] of changes) copy.writeUInt8(value, offset);
        });
        try {
          for (const { offsetBytes, sizeBytes: length } of await read(bytes, sizeBytes)) {
            expect(offsetBytes + length).toBeLessThanOrEqual(sizeBytes);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
        }
      }),
    );
  });
});
