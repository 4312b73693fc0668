import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openQcow2, type Qcow2Extent, type Qcow2Image } from "../../../factory/qcow2-parser/index.ts";
import { change, convertToQcow2, memorySource, readWithQemu, writeRawDisk } from "./images.ts";

let directory: string;
const images = new Map<string, { bytes: Buffer; disk: Buffer }>();
const kinds = ["plain", "zlib", "zstd", "extended"] as const;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "qcow2-read-"));
  const raw = await writeRawDisk(join(directory, "disk.raw"));
  const options = {
    plain: "cluster_size=4k",
    zlib: "compat=1.1",
    zstd: "compression_type=zstd",
    extended: "extended_l2=on",
  };
  for (const kind of kinds) {
    const qcow2 = join(directory, `${kind}.qcow2`);
    await convertToQcow2(raw, qcow2, options[kind], kind.startsWith("z"));
    await change(qcow2, "write -z 64k 70k", "write -P 3 2100k 3k");
    images.set(kind, { bytes: await readFile(qcow2), disk: await readWithQemu(qcow2) });
  }
});
afterAll(() => rm(directory, { recursive: true }));

async function open(kind: string): Promise<{ image: Qcow2Image; disk: Buffer; bytes: Buffer }> {
  const made = images.get(kind);
  if (!made) throw new Error(`no image ${kind}`);
  return { ...made, image: await openQcow2(memorySource(made.bytes)) };
}

test.for(kinds)("any range of the %s disk", async (kind) => {
  const { image, disk } = await open(kind);
  const position = fc.integer({ min: 0, max: disk.length });
  await fc.assert(
    fc.asyncProperty(position, fc.integer({ min: 0, max: 300_000 }), async (start, wanted) => {
      const length = Math.min(wanted, disk.length - start);
      const data = await image.read(start, length);
      expect(data.equals(disk.subarray(start, start + length))).toBe(true);
    }),
    { numRuns: 60 },
  );
});

test.for(kinds)("extents of the %s disk cover it once, and zero runs hold zeros", async (kind) => {
  const { image, disk } = await open(kind);
  const extents: Qcow2Extent[] = [];
  for await (const extent of image.extents()) extents.push(extent);
  let position = 0;
  for (const extent of extents) {
    expect(extent.position).toBe(position);
    expect(extent.length).toBeGreaterThan(0);
    position += extent.length;
    const content = disk.subarray(extent.position, position);
    if (extent.kind === "zero") expect(content.equals(Buffer.alloc(extent.length))).toBe(true);
  }
  expect(position).toBe(disk.length);
  expect(extents.map(({ kind }) => kind)).toEqual(extents.map((_, index) => (index % 2 === 0 ? "data" : "zero")));
});

test("what lies past the end of the disk", async () => {
  const { image, disk } = await open("plain");
  for (const [position, length] of [
    [-1, 2],
    [0, disk.length + 1],
    [disk.length, 1],
    [Number.NaN, 1],
    [0, 0.5],
  ] as const) {
    await expect(image.read(position, length)).rejects.toThrow(expect.objectContaining({ code: "out-of-range" }));
  }
  expect(await image.read(disk.length, 0)).toHaveLength(0);
});

/** Only typed errors, whatever the bytes, and work in proportion to the file. */
test.for(kinds)("damaged headers and tables of the %s disk", async (kind) => {
  const { bytes } = await open(kind);
  const l1 = Number(bytes.readBigUInt64BE(40));
  const l2 = Number(bytes.readBigUInt64BE(l1) & 0x00ff_ffff_ffff_fe00n);
  const place = fc.oneof(
    fc.integer({ min: 0, max: 111 }),
    fc.integer({ min: l1, max: l1 + 8 }),
    fc.integer({ min: l2, max: l2 + 1024 }),
    fc.integer({ min: 0, max: bytes.length - 1 }),
  );
  const flips = fc.array(fc.record({ place, bit: fc.integer({ min: 0, max: 7 }) }), { minLength: 1, maxLength: 3 });
  const outcomes = { read: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(flips, fc.option(fc.integer({ min: 0, max: bytes.length })), async (changes, cut) => {
      const damaged = Buffer.from(bytes);
      for (const { place, bit } of changes) damaged.writeUInt8(damaged.readUInt8(place) ^ (1 << bit), place);
      const source = memorySource(damaged.subarray(0, cut ?? damaged.length));
      try {
        const image = await openQcow2(source);
        for await (const { length, position } of image.extents()) await image.read(position, Math.min(length, 2 ** 20));
        outcomes.read += 1;
      } catch (error) {
        expect(error).toMatchObject({ name: "Qcow2Error" });
        outcomes.refused += 1;
      }
      expect(source.largestRead).toBeLessThanOrEqual(2 ** 22);
    }),
    {
      numRuns: 100,
      // One is read and one refused, whatever else comes up.
      examples: [
        [[], null],
        [[], 100],
      ],
    },
  );
  expect(outcomes.read).toBeGreaterThan(0);
  expect(outcomes.refused).toBeGreaterThan(0);
});
