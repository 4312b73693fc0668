import { mkdtemp, open, rm } from "node:fs/promises";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Failure } from "../../../common/failure.ts";
import type { BlockSource } from "../../../factory/disk/block-source.ts";
import { readLogicalVolumes } from "../../../factory/disk/lvm.ts";
import { lvmCrc } from "../../../factory/disk/lvm-label.ts";
import { parseLvmText } from "../../../factory/disk/lvm-text.ts";
import { LvmMaker } from "./make-lvm.ts";

const mebibyte = 2 ** 20;
let folder: string;
/** All that the metadata lies in: the first MiB. */
let head: Buffer;

beforeAll(async () => {
  folder = await mkdtemp("/var/tmp/lvm-");
  await using lvm = await LvmMaker.create(folder, "vg-x");
  await lvm.add("root", 2);
  await lvm.add("a-b", 1);
  await lvm.extend("root", 2);
  await lvm.add("striped", 4, "--stripes", "2", "--stripesize", "64k");
  await lvm.addElsewhere("far");
  await using file = await open(lvm.image);
  head = (await file.read({ buffer: Buffer.alloc(mebibyte), position: 0 })).buffer;
});
afterAll(() => rm(folder, { recursive: true }));

function sourceOf(bytes: Buffer, sizeBytes = 128 * mebibyte): BlockSource {
  return {
    sizeBytes,
    read: async (offset, length) => {
      expect(offset + length).toBeLessThanOrEqual(sizeBytes);
      return Buffer.concat([bytes.subarray(offset, offset + length)], length);
    },
  };
}
const read = (bytes: Buffer, sizeBytes?: number) => readLogicalVolumes(sourceOf(bytes, sizeBytes));

/** Changes the metadata's text, with right checksums. */
function forge(change: (text: string) => string): Buffer {
  const copy = Buffer.from(head);
  const header = copy.subarray(4096, 4096 + 512);
  const [offset, length] = [Number(header.readBigUInt64LE(40)), Number(header.readBigUInt64LE(48))];
  const before = copy.toString("latin1", 4096 + offset, 4096 + offset + length - 1);
  const after = Buffer.from(`${change(before)}\0`, "latin1");
  expect(after.toString("latin1")).not.toBe(before);
  after.copy(copy, 4096 + offset);
  header.writeBigUInt64LE(BigInt(after.length), 48);
  header.writeUInt32LE(lvmCrc(after), 56);
  header.writeUInt32LE(lvmCrc(header.subarray(4)), 0);
  return copy;
}

describe("a physical volume that lvm2 wrote", () => {
  it("has linear volumes, in pieces and in one", async () => {
    const [root, second] = await read(head);
    expect(root).toEqual({
      name: "vg-x/root",
      sizeBytes: 16 * mebibyte,
      extents: [
        { offsetBytes: mebibyte, sizeBytes: 8 * mebibyte },
        { offsetBytes: 13 * mebibyte, sizeBytes: 8 * mebibyte },
      ],
    });
    expect(second).toMatchObject({
      name: "vg-x/a-b",
      extents: [{ offsetBytes: 9 * mebibyte, sizeBytes: 4 * mebibyte }],
    });
  });

  it("has striped volumes, whose pieces take turns", async () => {
    const striped = (await read(head)).find(({ name }) => name === "vg-x/striped");
    const [first, second, third] = striped?.extents ?? [];
    expect(striped).toMatchObject({ sizeBytes: 16 * mebibyte, extents: { length: 256 } });
    expect(first).toEqual({ offsetBytes: 21 * mebibyte, sizeBytes: 65536 });
    expect(second).toEqual({ offsetBytes: 29 * mebibyte, sizeBytes: 65536 });
    expect(third).toEqual({ offsetBytes: 21 * mebibyte + 65536, sizeBytes: 65536 });
  });

  it("names a volume that lies on another physical volume, with the reason", async () => {
    expect((await read(head)).at(-1)).toEqual({
      name: "vg-x/far",
      sizeBytes: 4 * mebibyte,
      extents: [],
      unreadable: "parts of it lie on another physical volume",
    });
  });

  it.each(["raid1", "thin", "snapshot", "cache", "mirror"])("names a %s volume with the reason", async (type) => {
    const [root] = await read(forge((text) => text.replace('type = "striped"', `type = "${type}"`)));
    expect(root).toMatchObject({ name: "vg-x/root", extents: [], unreadable: `it is a volume of LVM's type ${type}` });
  });

  it("leaves out what lvm2 hides: the parts of other volumes", async () => {
    const volumes = await read(forge((text) => text.replace('"READ", "WRITE", "VISIBLE"', '"READ", "WRITE"')));
    expect(volumes.map(({ name }) => name)).not.toContain("vg-x/root");
  });

  it("may belong to no volume group yet", async () => {
    const copy = Buffer.from(head);
    const header = copy.subarray(4096, 4096 + 512);
    header.fill(0, 40, 64);
    header.writeUInt32LE(lvmCrc(header.subarray(4)), 0);
    expect(await read(copy)).toEqual([]);
  });

  it("is read where its metadata goes on at the start of the ring", async () => {
    const copy = Buffer.from(head);
    const header = copy.subarray(4096, 4096 + 512);
    const [areaBytes, offset] = [Number(header.readBigUInt64LE(32)), Number(header.readBigUInt64LE(40))];
    const text = Buffer.from(copy.subarray(4096 + offset, 4096 + offset + Number(header.readBigUInt64LE(48))));
    text.copy(copy, 4096 + areaBytes - 512, 0, 512);
    text.copy(copy, 4096 + 512, 512);
    header.writeBigUInt64LE(BigInt(areaBytes - 512), 40);
    header.writeUInt32LE(lvmCrc(header.subarray(4)), 0);
    expect(await read(copy)).toEqual(await read(head));
  });
});

describe("hostile LVM metadata", () => {
  it.each<[string, (text: string) => string, string]>([
    [
      "a volume beyond the disk",
      (text) => text.replace(/extent_count = 1\b/, "extent_count = 31"),
      "inside its physical volume",
    ],
    [
      "a volume of exabytes",
      (text) => text.replace(/extent_count = 1\b/, "extent_count = 9007199254740991"),
      "inside its physical",
    ],
    ["one place twice", (text) => text.replace(/"pv0", 3\b/, '"pv0", 1'), "the same place twice"],
    [
      "a gap in the segments",
      (text) => text.replace("start_extent = 2", "start_extent = 3"),
      "do not follow each other",
    ],
    ["a billion segments", (text) => text.replace("segment_count = 2", "segment_count = 1000000000"), "segment_count"],
    [
      "a segment that is not there",
      (text) => text.replace("segment_count = 2", "segment_count = 3"),
      "segment 3 of vg-x/root",
    ],
    ["stripes of no size", (text) => text.replace("stripe_size = 128", "stripe_size = 0"), "impossible stripes"],
    [
      "stripes that do not add up",
      (text) => text.replace("stripe_size = 128", "stripe_size = 127"),
      "impossible stripes",
    ],
    ["more stripes than places", (text) => text.replace("stripe_count = 2", "stripe_count = 4"), "lies nowhere"],
    ["a name that is a path", (text) => text.replace("a-b {", "../b {"), "reading LVM metadata"],
    ["a name that is an option", (text) => text.replace("a-b {", "-ab {"), "the name"],
    ["a physical volume of another's", (text) => text.replaceAll(/id = "\w{6}-/g, 'id = "AAAAAA-'), "does not know"],
    ["two volume groups", (text) => `${text}\nother { extent_size = 1 }`, "not one volume group"],
    ["no end", (text) => text.slice(0, 900), "reading LVM metadata"],
    ["nothing but depth", () => "a { ".repeat(10_000), "nested too deeply"],
    ["lists in lists", () => `a = ${"[".repeat(10_000)}`, "nested too deeply"],
    ["half a megabyte of zeros", (text) => `${text}${"\0".repeat(2 ** 19)}x`, "belongs to no word"],
    ["a string without an end", () => `a = "${"\\".repeat(100_001)}`, "belongs to no word"],
  ])("is refused: %s", async (_, change, message) => {
    await expect(read(forge(change))).rejects.toMatchObject({
      code: "lvm-invalid",
      kind: "integrity",
      message: expect.stringContaining(message),
    });
  });

  it("is refused where any checksum is wrong", async () => {
    for (const offset of [512 + 32, 4096 + 100, 4096 + Number(head.readBigUInt64LE(4096 + 40)) + 20]) {
      const copy = Buffer.from(head);
      copy.writeUInt8(copy.readUInt8(offset) ^ 1, offset);
      await expect(read(copy)).rejects.toMatchObject({ message: expect.stringContaining("checksum is wrong") });
    }
  });

  it("is refused where the disk is cut short", async () => {
    await expect(read(head, 20 * mebibyte)).rejects.toMatchObject({ code: "lvm-invalid" });
    await expect(read(head, 8192)).rejects.toMatchObject({ code: "lvm-invalid" });
  });

  it("ends in volumes inside the disk or in a typed failure, whatever its text", async () => {
    const token = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      "=",
      ",",
      '"',
      "#",
      "\n",
      "0",
      "-1",
      "99999999999999999999",
      "x",
      '"pv0"',
      "__proto__ {",
    );
    const edit = fc.tuple(fc.nat(6000), fc.nat(20), token);
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
        const bytes = forge(
          (text) => `${edits.reduce((all, [at, drop, put]) => all.slice(0, at) + put + all.slice(at + drop), text)} `,
        );
        try {
          for (const { extents } of await read(bytes)) {
            for (const { offsetBytes, sizeBytes } of extents)
              expect(offsetBytes + sizeBytes).toBeLessThanOrEqual(128 * mebibyte);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
        }
      }),
    );
  });

  it("ends in a typed failure where its headers are anything", async () => {
    const patch = fc.tuple(fc.constantFrom(512, 4096), fc.nat(127), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(patch, { minLength: 1 }), async (patches) => {
        const copy = Buffer.from(head);
        for (const [start, offset, value] of patches) copy.writeUInt8(value, start + offset);
        copy.writeUInt32LE(lvmCrc(copy.subarray(512 + 20, 1024)), 512 + 16);
        copy.writeUInt32LE(lvmCrc(copy.subarray(4096 + 4, 4096 + 512)), 4096);
        await read(copy).catch((error) => expect(error).toBeInstanceOf(Failure));
      }),
    );
  });
});

describe("the metadata's text", () => {
  it("has sections, numbers, strings and lists, with comments between", () => {
    const text = '# one\na { b = -1 # two\n c = "x\\"\\\\y#" d = [ "p", 0, [] ] }\n e = ""';
    expect(parseLvmText(text)).toEqual(
      new Map<string, unknown>([
        [
          "a",
          new Map<string, unknown>([
            ["b", -1],
            ["c", 'x"\\y#'],
            ["d", ["p", 0, []]],
          ]),
        ],
        ["e", ""],
      ]),
    );
  });

  it.each([
    "a = ",
    "a =\n= 1",
    "a = 1 a = 2",
    "a {",
    "}",
    "a = [ 1 2 ]",
    "a = [ 1",
    "a = b",
    "= 1",
    "a = 1.5",
    "a = }",
  ])("is refused: %s", (text) => {
    expect(() => parseLvmText(text)).toThrow(Failure);
  });

  it("never fails otherwise", () => {
    const pieces = fc.array(fc.constantFrom("a", "{", "}", "[", "]", "=", ",", "1", '"', "\\", " ", "#", "\n", "é"));
    fc.assert(
      fc.property(pieces, (words) => {
        try {
          parseLvmText(words.join(""));
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
        }
      }),
    );
  });
});
