import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { constants, crc32, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Failure } from "../../../common/failure.ts";
import { run } from "../../../common/run.ts";
import { convertToDisk } from "../../../factory/formats/convert-to-disk.ts";
import { type Compression, decompress } from "../../../factory/formats/decompress.ts";
import { withSource } from "../../../factory/formats/source.ts";
import { qemuConvert, writeBytes } from "./images.ts";

const disk = Buffer.alloc(2 ** 20);
for (let index = 0; index < 2 ** 18; index += 4) disk.writeUInt32LE((index * 2654435761) >>> 0, index);
disk.writeUInt16BE(0x55aa, 510);

let directory: string;
const streams = new Map<Compression, Buffer>();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "formats-streams-"));
  for (const compression of ["xz", "gz", "zst"] as const) {
    streams.set(compression, await compressors[compression](disk));
  }
});
afterAll(() => rm(directory, { recursive: true }));

async function compressXz(bytes: Buffer): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  await run("xz", ["--stdout", "-0"], {
    doing: "compressing",
    input: bytes,
    consume: async (stdout) => {
      for await (const chunk of stdout) chunks.push(chunk);
    },
  });
  return Buffer.concat(chunks);
}

const compressors: Record<Compression, (bytes: Buffer) => Buffer | Promise<Buffer>> = {
  xz: compressXz,
  gz: gzipSync,
  zst: zstdCompressSync,
};

const streamOf = (compression: Compression) => streams.get(compression) ?? Buffer.alloc(0);

let count = 0;
async function convert(compression: Compression, bytes: Buffer): Promise<Buffer> {
  count += 1;
  const file = await writeBytes(join(directory, `${count}.raw.${compression}`), bytes);
  const folder = await mkdtemp(join(directory, "out-"));
  try {
    await convertToDisk(file, `raw.${compression}`, join(folder, "disk.raw"), { maximumBytes: 2 ** 22 });
    return await readFile(join(folder, "disk.raw"));
  } catch (error) {
    expect(await readdir(folder)).toEqual([]);
    throw error;
  } finally {
    await rm(file);
    await rm(folder, { recursive: true });
  }
}

describe.for<Compression>(["xz", "gz", "zst"])("a disk in %s", (compression) => {
  test("cut short anywhere is refused", async () => {
    const whole = streamOf(compression);
    for (const length of [whole.length - 1, whole.length - 5, Math.floor(whole.length / 2), 30, 10]) {
      await expect(convert(compression, whole.subarray(0, length))).rejects.toMatchObject({
        code: "image-truncated",
        kind: "integrity",
      });
    }
  });

  test.for<[string, Buffer]>([
    ["text", Buffer.from("and something else, which is longer than a header")],
    ["one byte", Buffer.from("x")],
    ["a few zeros", Buffer.alloc(3)],
    ["zeros beyond a chunk", Buffer.alloc(2 ** 21 + 1)],
    ["a part of a second stream", gzipSync(disk).subarray(0, 15)],
    ["a stream of another kind", compression === "gz" ? zstdCompressSync(disk) : gzipSync(disk)],
  ])("followed by %s is refused", async ([, garbage]) => {
    await expect(convert(compression, Buffer.concat([streamOf(compression), garbage]))).rejects.toMatchObject({
      code: expect.stringMatching(/^(stream-trailing|stream-corrupt|image-truncated)$/),
      kind: "integrity",
    });
  });

  test("with a bit flipped is refused, or is the same disk", async () => {
    const whole = streamOf(compression);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(7), async (offset, bit) => {
        const damaged = Buffer.from(whole);
        damaged.writeUInt8(damaged.readUInt8(offset) ^ (1 << bit), offset);
        try {
          // Some bits mean nothing: gzip's time, and zstd, which has no checksum of its own here, in no case a crash.
          expect((await convert(compression, damaged)).length).toBeLessThanOrEqual(2 ** 22);
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
          expect(error).toMatchObject({ kind: "integrity" });
        }
      }),
      { numRuns: 25 },
    );
  });

  test("that is no disk is refused before it has a name", async () => {
    const qcow2 = join(directory, `inner-${compression}.qcow2`);
    const raw = await writeBytes(join(directory, `inner-${compression}.raw`), disk);
    const inner = await readFile(await qemuConvert(raw, qcow2, "qcow2"));
    const nested = await compressors[compression](inner);
    await expect(convert(compression, nested)).rejects.toMatchObject({ code: "format-mismatch" });
  });

  test("that grows without end is refused at the limit", async () => {
    const bomb = Buffer.alloc(2 ** 23);
    await expect(convert(compression, await compressors[compression](bomb))).rejects.toMatchObject({
      code: "image-too-large",
    });
  });

  test("leaves no program behind when its reader leaves early", async () => {
    const file = await writeBytes(join(directory, `left.${compression}`), streamOf(compression));
    await withSource(file, async (source) => {
      for await (const chunk of decompress(source, compression, { maximumBytes: 2 ** 30 })) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
    });
    const children = await run("ps", ["--ppid", String(process.pid), "-o", "comm="], {
      doing: "listing",
      accept: [0, 1],
    });
    expect(children.stdout).not.toMatch(/xz|zstd/);
  });
});

test("zstd frames of every header are followed to their ends", async () => {
  const half = disk.length / 2;
  const params = (flags: Record<number, number>) => ({ params: flags });
  const { ZSTD_c_checksumFlag, ZSTD_c_contentSizeFlag, ZSTD_c_windowLog } = constants;
  const skippable = Buffer.concat([Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 5, 0, 0, 0]), Buffer.from("notes")]);
  const frames = [
    skippable,
    zstdCompressSync(disk.subarray(0, 100), params({ [ZSTD_c_checksumFlag]: 1 })),
    zstdCompressSync(disk.subarray(100, 1000), params({ [ZSTD_c_contentSizeFlag]: 0 })),
    zstdCompressSync(disk.subarray(1000, 1000)),
    zstdCompressSync(disk.subarray(1000, half), params({ [ZSTD_c_windowLog]: 12, [ZSTD_c_checksumFlag]: 1 })),
    zstdCompressSync(disk.subarray(half)),
    skippable,
  ];
  expect((await convert("zst", Buffer.concat(frames))).equals(disk)).toBe(true);
});

test("xz that wants more memory than a disk image needs is refused", async () => {
  const greedy = Buffer.from(streamOf("xz"));
  // xz file format 1.1.0: 3.1 (block header), 5.3.1 (the byte that says the size of LZMA2's dictionary: 36 is 1 GiB).
  const header = greedy.subarray(12, 12 + (greedy.readUInt8(12) + 1) * 4);
  expect(header.readUInt8(2)).toBe(0x21);
  header.writeUInt8(36, 4);
  header.writeUInt32LE(crc32(header.subarray(0, -4)), header.length - 4);
  await expect(convert("xz", greedy)).rejects.toMatchObject({ code: "stream-corrupt", kind: "integrity" });
});
