import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Failure } from "../../../common/failure.ts";
import type { ByteSource } from "../../../factory/formats/source.ts";
import { VmdkImage } from "../../../factory/formats/vmdk/image.ts";
import type { VmdkProblem } from "../../../factory/formats/vmdk/invalid.ts";
import { vmdk } from "../../../factory/formats/vmdk.ts";
import { type makeDescriptor, makeStream, qemuConvert, readWithQemu, writeBytes } from "./images.ts";

const grainBytes = 2 ** 16;
/** Three grains and a half: text, zeros, noise, and an end that fills no grain. */
const disk = Buffer.alloc(3.5 * grainBytes);
disk.fill("metal", 0, grainBytes);
for (let index = 2 * grainBytes; index < disk.length; index += 4) disk.writeUInt32LE((index * 2654435761) >>> 0, index);

let directory: string;
let stream: Buffer;
let qemuStream: Buffer;
let sparse: Buffer;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "vmdk-"));
  const raw = await writeBytes(join(directory, "disk.raw"), disk);
  const make = async (subformat: string) =>
    readFile(await qemuConvert(raw, join(directory, subformat), "vmdk", "-o", `subformat=${subformat}`));
  stream = makeStream(disk);
  qemuStream = await make("streamOptimized");
  sparse = await make("monolithicSparse");
});
afterAll(() => rm(directory, { recursive: true }));

/** An image in memory, which fails the test when it is read outside of itself. */
function sourceOf(bytes: Buffer): ByteSource & { largestRead: number } {
  return {
    name: "test.vmdk",
    sizeBytes: bytes.length,
    largestRead: 0,
    async read(buffer, position) {
      this.largestRead = Math.max(this.largestRead, buffer.length);
      expect(position + buffer.length).toBeLessThanOrEqual(bytes.length);
      return bytes.copy(buffer, 0, position, position + buffer.length);
    },
    close: () => Promise.resolve(),
  };
}

async function readAll(bytes: Buffer): Promise<Buffer> {
  const image = await VmdkImage.open(sourceOf(bytes));
  const { virtualSizeBytes } = image.info;
  return (await image.read({ position: 0, length: virtualSizeBytes })) ?? Buffer.alloc(virtualSizeBytes);
}

let count = 0;
async function convert(bytes: Buffer): Promise<Buffer> {
  count += 1;
  const file = await writeBytes(join(directory, `${count}.vmdk`), bytes);
  const folder = await mkdtemp(join(directory, "out-"));
  const destination = join(folder, "disk.raw");
  try {
    await vmdk.convert(file, destination, { maximumBytes: 2 ** 28 });
    return await readFile(destination);
  } catch (error) {
    expect(await readdir(folder)).toEqual([]);
    throw error;
  } finally {
    await rm(file);
    await rm(folder, { recursive: true });
  }
}

type Edit = (copy: Buffer) => unknown;
const edited = (bytes: Buffer, edit: Edit) => {
  const copy = Buffer.from(bytes);
  edit(copy);
  return copy;
};
const refused = (problem: VmdkProblem) => expect.objectContaining({ code: `vmdk-${problem}`, kind: "integrity" });

/** Where the first grain table of an image lies, and what it says. */
const tableOf = (bytes: Buffer) => {
  const header = bytes.readBigUInt64LE(56) === 0xffff_ffff_ffff_ffffn ? bytes.subarray(bytes.length - 1024) : bytes;
  return bytes.readUInt32LE(Number(header.readBigUInt64LE(56)) * 512) * 512;
};
const grainOf = (bytes: Buffer, grain: number) => bytes.readUInt32LE(tableOf(bytes) + grain * 4) * 512;
const setGrain = (grain: number, sector: (bytes: Buffer) => number) => (bytes: Buffer) =>
  bytes.writeUInt32LE(sector(bytes), tableOf(bytes) + grain * 4);

describe("reading at random", () => {
  test.for([1, 2, 3])("a stream of version %s", async (version) => {
    expect((await readAll(makeStream(disk, { version }))).equals(disk)).toBe(true);
  });

  test("any range of any subformat", async () => {
    const images = await Promise.all([stream, qemuStream, sparse].map((bytes) => VmdkImage.open(sourceOf(bytes))));
    const range = fc.tuple(fc.nat(disk.length), fc.nat(disk.length)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)]);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...images), range, async (image, [start = 0, end = 0]) => {
        const bytes = await image.read({ position: start, length: end - start });
        expect((bytes ?? Buffer.alloc(end - start)).equals(disk.subarray(start, end))).toBe(true);
      }),
    );
  });
});

describe("a header is refused", () => {
  test.for<[string, VmdkProblem, Edit]>([
    ["of another format", "header-invalid", (bytes) => bytes.write("KDMW")],
    ["of version 0", "version-unsupported", (bytes) => bytes.writeUInt32LE(0, 4)],
    ["of version 4", "version-unsupported", (bytes) => bytes.writeUInt32LE(4, 4)],
    ["with an unknown flag", "feature-unknown", (bytes) => bytes.writeUInt8(bytes.readUInt8(8) | 8, 8)],
    ["with an unknown compression", "feature-unknown", (bytes) => bytes.writeUInt16LE(2, 77)],
    ["whose line ends were changed", "header-invalid", (bytes) => bytes.write("\n \n\n", 73)],
    ["with grains of 3 sectors", "header-invalid", (bytes) => bytes.writeBigUInt64LE(3n, 20)],
    ["with grains of none", "header-invalid", (bytes) => bytes.writeBigUInt64LE(0n, 20)],
    ["with grains of 1 GiB", "header-invalid", (bytes) => bytes.writeBigUInt64LE(2n ** 21n, 20)],
    ["with tables of 511 entries", "header-invalid", (bytes) => bytes.writeUInt32LE(511, 44)],
    ["with a descriptor of 1 TiB", "header-invalid", (bytes) => bytes.writeBigUInt64LE(2n ** 31n, 36)],
    ["with a descriptor beyond the file", "outside-file", (bytes) => bytes.writeBigUInt64LE(2n ** 40n, 28)],
    ["with a directory beyond the file", "outside-file", (bytes) => bytes.writeBigUInt64LE(2n ** 40n, 56)],
    ["of a disk of 2^73 bytes", "virtual-size-too-large", (bytes) => bytes.writeBigUInt64LE(2n ** 64n - 1n, 12)],
    ["of no disk", "external-extents", (bytes) => bytes.writeBigUInt64LE(0n, 12)],
    ["without a descriptor", "external-extents", (bytes) => bytes.writeBigUInt64LE(0n, 28)],
    ["without a directory", "header-invalid", (bytes) => bytes.writeBigUInt64LE(0n, 56)],
    ["without markers", "feature-unknown", (bytes) => bytes.writeUInt32LE(0x10001, 8)],
  ])("%s", async ([, problem, edit]) => {
    await expect(readAll(edited(qemuStream, edit))).rejects.toThrow(refused(problem));
  });

  test("cut short", async () => {
    for (const length of [0, 4, 511]) await expect(readAll(sparse.subarray(0, length))).rejects.toThrow(Failure);
  });
});

describe("a footer is refused", () => {
  const end = () => stream.length;
  test.for<[string, Edit]>([
    ["that disagrees on the size", (bytes) => bytes.writeBigUInt64LE(7n, end() - 1024 + 12)],
    ["of another format", (bytes) => bytes.write("XXXX", end() - 1024)],
    ["that names no directory", (bytes) => bytes.writeBigUInt64LE(2n ** 64n - 1n, end() - 1024 + 56)],
    ["without its marker", (bytes) => bytes.fill(0, end() - 1536, end() - 1024)],
    ["without the end's marker", (bytes) => bytes.writeUInt32LE(1, end() - 512 + 12)],
  ])("%s", async ([, edit]) => {
    await expect(readAll(edited(stream, edit))).rejects.toThrow(refused("header-invalid"));
  });

  test("that is cut off, or padded", async () => {
    for (const bytes of [
      stream.subarray(0, -512),
      stream.subarray(0, -100),
      Buffer.concat([stream, Buffer.alloc(512)]),
    ]) {
      await expect(readAll(bytes)).rejects.toThrow(refused("header-invalid"));
    }
  });
});

describe("a descriptor is refused", () => {
  test.for<[string, VmdkProblem, Parameters<typeof makeDescriptor>[1]]>([
    ["with a parent", "parent", { settings: "parentCID=12345678" }],
    ["with a parent's file", "parent", { settings: 'parentCID=ffffffff\nparentFileNameHint="/etc/shadow"' }],
    ["with two parents", "descriptor-invalid", { settings: "parentCID=ffffffff\nparentCid=12345678" }],
    ["of an encrypted disk", "encrypted", { settings: 'parentCID=ffffffff\nencryptionKeys="vmware:key/list"' }],
    ["of a flat disk", "external-extents", { createType: "monolithicFlat", extent: 'RW 448 FLAT "/dev/sda" 0' }],
    ["of a VMFS disk", "external-extents", { createType: "vmfs", extent: 'RW 448 VMFS "x-flat.vmdk"' }],
    ["of a split disk", "external-extents", { createType: "twoGbMaxExtentSparse" }],
    ["of two extents", "external-extents", { extent: 'RW 448 SPARSE "a"\nRW 448 SPARSE "b"' }],
    ["of a flat extent", "external-extents", { extent: 'RW 448 FLAT "/etc/shadow" 0' }],
    ["of no extent", "external-extents", { extent: "# none" }],
    ["of another size", "descriptor-invalid", { extent: 'RW 449 SPARSE "disk.vmdk"' }],
    ["of nonsense", "descriptor-invalid", { settings: "what is this" }],
  ])("%s", async ([, problem, options]) => {
    await expect(readAll(makeStream(disk, options))).rejects.toThrow(refused(problem));
  });

  test("that is not there", async () => {
    const bytes = edited(stream, (copy) => copy.fill(0, 512, 1024));
    await expect(readAll(bytes)).rejects.toThrow(refused("descriptor-invalid"));
  });
});

describe("a grain is refused", () => {
  const both = (edit: Edit): [Buffer, Buffer] => [edited(stream, edit), edited(qemuStream, edit)];

  test("beyond the file", async () => {
    for (const bytes of [
      ...both(setGrain(0, () => 0xffff_fff0)),
      edited(
        sparse,
        setGrain(0, () => 0xffff_fff0),
      ),
    ]) {
      await expect(convert(bytes)).rejects.toThrow(refused("outside-file"));
    }
  });

  test("partly beyond the file", async () => {
    const bytes = edited(
      sparse,
      setGrain(0, (copy) => copy.length / 512 - 1),
    );
    await expect(convert(bytes)).rejects.toMatchObject({ code: "image-truncated" });
  });

  test("on another", async () => {
    const bytes = edited(
      sparse,
      setGrain(1, (copy) => grainOf(copy, 0) / 512),
    );
    await expect(convert(bytes)).rejects.toThrow(refused("overlap"));
  });

  test.for([0, 1, 26])("on what is no grain: sector %s", async (sector) => {
    // Sector 0 stands for zeros; all others before the first grain are header, descriptor, directory and tables.
    const outcome = convert(
      edited(
        sparse,
        setGrain(0, () => sector),
      ),
    );
    if (sector === 0) expect((await outcome).subarray(0, grainBytes).equals(Buffer.alloc(grainBytes))).toBe(true);
    else await expect(outcome).rejects.toThrow(refused("overlap"));
  });

  test.for<[string, Edit]>([
    ["of another place", (bytes) => bytes.writeBigUInt64LE(1n, grainOf(bytes, 2))],
    ["of no data", (bytes) => bytes.writeUInt32LE(0, grainOf(bytes, 2) + 8)],
    ["of 4 GiB", (bytes) => bytes.writeUInt32LE(0xffff_ffff, grainOf(bytes, 2) + 8)],
    ["that is damaged", (bytes) => bytes.fill(0xff, grainOf(bytes, 2) + 14, grainOf(bytes, 2) + 40)],
    ["whose checksum is wrong", flipChecksum],
  ])("%s", async ([, edit]) => {
    for (const bytes of both(edit)) await expect(convert(bytes)).rejects.toThrow(refused("grain-corrupt"));
  });

  test("that becomes more or less than a grain", async () => {
    for (const length of [2 ** 24, grainBytes + 1, grainBytes - 1, 0]) {
      const data = deflateSync(Buffer.alloc(length));
      const bytes = edited(stream, (copy) => {
        const offset = grainOf(copy, 2);
        copy.writeUInt32LE(data.length, offset + 8);
        data.copy(copy, offset + 12);
      });
      await expect(convert(bytes)).rejects.toThrow(refused("grain-corrupt"));
    }
  });

  /** Adler-32, the last four bytes of the zlib stream. */
  function flipChecksum(bytes: Buffer) {
    const offset = grainOf(bytes, 2);
    const last = offset + 12 + bytes.readUInt32LE(offset + 8) - 1;
    bytes.writeUInt8(bytes.readUInt8(last) ^ 1, last);
  }
});

test("tables on the same sectors are refused", async () => {
  const large = Buffer.alloc(64 * 2 ** 20);
  large.fill(1, 0, 10);
  large.fill(2, 40 * 2 ** 20, 41 * 2 ** 20);
  const bytes = makeStream(large);
  const directoryOffset = Number(bytes.readBigUInt64LE(bytes.length - 1024 + 56)) * 512;
  bytes.copyWithin(directoryOffset + 4, directoryOffset, directoryOffset + 4);
  await expect(convert(bytes)).rejects.toThrow(refused("overlap"));
});

test("a header of 16 TiB costs no more than it holds", async () => {
  const bytes = edited(sparse, (copy) => copy.writeBigUInt64LE(2n ** 35n, 12));
  const source = sourceOf(bytes);
  await expect(VmdkImage.open(source)).rejects.toThrow(Failure);
  expect(source.largestRead).toBeLessThan(2 ** 20);
});

describe("damaged at random", () => {
  const images = () => fc.constantFrom(stream, qemuStream, sparse);
  const metadata = (bytes: Buffer) =>
    fc.oneof(
      fc.nat(80),
      fc.integer({ min: 512, max: 1024 }),
      fc.integer({ min: tableOf(bytes), max: tableOf(bytes) + 16 }),
      fc.integer({ min: Math.max(0, bytes.length - 1536), max: bytes.length - 1 }),
      fc.nat(bytes.length - 1),
    );
  const damage = () =>
    images().chain((bytes) =>
      fc.tuple(
        fc.constant(bytes),
        fc.array(fc.tuple(metadata(bytes), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 }),
        fc.option(fc.nat(bytes.length)),
      ),
    );

  test("it becomes a disk of the size it says, or a typed failure, and nothing is left", async () => {
    await fc.assert(
      fc.asyncProperty(damage(), async ([original, changes, cut]) => {
        const bytes = edited(original, (copy) => {
          for (const [offset, value] of changes) copy.writeUInt8(value, offset);
        }).subarray(0, cut ?? original.length);
        try {
          expect((await convert(bytes)).length).toBeLessThanOrEqual(2 ** 28);
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
          expect(error).toMatchObject({ kind: "integrity", message: expect.not.stringContaining("\n") });
        }
      }),
      { numRuns: 150 },
    );
  });

  test("its descriptor, too", async () => {
    const line = fc.oneof(
      fc.string({ unit: "binary", maxLength: 60 }),
      fc.constantFrom(
        "parentCID=ffffffff",
        'createType="streamOptimized"',
        'RW 448 SPARSE "x"',
        "CID=1",
        'a="b',
        "a=b=c",
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 12 }), async (lines) => {
        const bytes = edited(stream, (copy) => {
          copy.fill(0, 512, 21 * 512);
          copy.write(["# Disk DescriptorFile", ...lines].join("\n"), 512, 20 * 512, "latin1");
        });
        await readAll(bytes).catch((error: unknown) => expect(error).toBeInstanceOf(Failure));
      }),
      { numRuns: 200 },
    );
  });
});

test("QEMU reads the streams of these tests as we do", async () => {
  const file = await writeBytes(join(directory, "reference.vmdk"), stream);
  expect((await readWithQemu(file, "vmdk")).equals(disk)).toBe(true);
});
