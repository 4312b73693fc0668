import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync, zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../../common/run.ts";
import { type OpenOptions, openQcow2, type Qcow2ErrorCode } from "../../../factory/qcow2-parser/index.ts";
import { convertToQcow2, memorySource, writeRawDisk } from "./images.ts";

let directory: string;
let plain: Buffer;
let version2: Buffer;
let extended: Buffer;
let zlib: Buffer;
let zstd: Buffer;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "qcow2-refusals-"));
  const raw = await writeRawDisk(join(directory, "disk.raw"));
  const make = async (options: string, compress: boolean) => {
    const qcow2 = join(directory, `${options}-${compress}.qcow2`);
    await convertToQcow2(raw, qcow2, options, compress);
    return readFile(qcow2);
  };
  plain = await make("cluster_size=64k", false);
  version2 = await make("compat=0.10", false);
  extended = await make("extended_l2=on", false);
  zlib = await make("compat=1.1", true);
  zstd = await make("compression_type=zstd", true);
});
afterAll(() => rm(directory, { recursive: true }));

type Patch = (bytes: Buffer) => unknown;
const patched = (image: Buffer, patch: Patch) => {
  const bytes = Buffer.from(image);
  patch(bytes);
  return bytes;
};
const l1Of = (bytes: Buffer) => Number(bytes.readBigUInt64BE(40));
const l2Of = (bytes: Buffer) => Number(bytes.readBigUInt64BE(l1Of(bytes)) & 0x00ff_ffff_ffff_fe00n);
const patchFirstCluster = (change: (entry: bigint) => bigint) => (bytes: Buffer) =>
  bytes.writeBigUInt64BE(BigInt.asUintN(64, change(bytes.readBigUInt64BE(l2Of(bytes)))), l2Of(bytes));

async function openBytes(bytes: Buffer, options?: OpenOptions) {
  const image = await openQcow2(memorySource(bytes), options);
  return image.read(0, image.info.virtualSizeBytes);
}

const refused = (code: Qcow2ErrorCode) => expect.objectContaining({ name: "Qcow2Error", code });

describe("a header", () => {
  test.for<[string, Qcow2ErrorCode, Patch]>([
    ["of another format", "not-qcow2", (bytes) => bytes.write("QED\0")],
    ["of version 1", "version-unsupported", (bytes) => bytes.writeUInt32BE(1, 4)],
    ["of version 4", "version-unsupported", (bytes) => bytes.writeUInt32BE(4, 4)],
    ["with a backing file", "backing-file", (bytes) => bytes.writeBigUInt64BE(0x200n, 8)],
    ["encrypted with AES", "encrypted", (bytes) => bytes.writeUInt32BE(1, 32)],
    ["encrypted with LUKS", "encrypted", (bytes) => bytes.writeUInt32BE(2, 32)],
    ["encrypted with something new", "encrypted", (bytes) => bytes.writeUInt32BE(3, 32)],
    ["with clusters of 256 B", "cluster-size-unsupported", (bytes) => bytes.writeUInt32BE(8, 20)],
    ["with clusters of 4 MiB", "cluster-size-unsupported", (bytes) => bytes.writeUInt32BE(22, 20)],
    ["with clusters of 2^(2^32-1) bytes", "cluster-size-unsupported", (bytes) => bytes.writeUInt32BE(0xffffffff, 20)],
    ["with an external data file", "external-data-file", (bytes) => bytes.writeBigUInt64BE(1n << 2n, 72)],
    ["with the first unknown feature", "feature-unknown", (bytes) => bytes.writeBigUInt64BE(1n << 5n, 72)],
    ["with the last unknown feature", "feature-unknown", (bytes) => bytes.writeBigUInt64BE(1n << 63n, 72)],
    ["marked corrupt", "marked-corrupt", (bytes) => bytes.writeBigUInt64BE(1n << 1n, 72)],
    ["shorter than it may be", "header-invalid", (bytes) => bytes.writeUInt32BE(96, 100)],
    ["of an odd length", "header-invalid", (bytes) => bytes.writeUInt32BE(109, 100)],
    ["longer than a cluster", "header-invalid", (bytes) => bytes.writeUInt32BE(2 ** 16 + 8, 100)],
    ["with a compression type and no bit for it", "header-invalid", (bytes) => bytes.writeUInt8(1, 104)],
    ["with the bit and no compression type", "header-invalid", (bytes) => bytes.writeBigUInt64BE(1n << 3n, 72)],
    [
      "with an unknown compression type",
      "compression-unsupported",
      (bytes) => bytes.writeUInt8(2, 104) && bytes.writeBigUInt64BE(1n << 3n, 72),
    ],
    [
      "with extended L2 in small clusters",
      "header-invalid",
      (bytes) => bytes.writeUInt32BE(12, 20) && bytes.writeBigUInt64BE(1n << 4n, 72),
    ],
    ["with a virtual size of 2^64 - 1", "virtual-size-too-large", (bytes) => bytes.fill(0xff, 24, 32)],
    ["with an L1 table of 2 GiB", "l1-too-large", (bytes) => bytes.writeUInt32BE(2 ** 28, 36)],
    ["with an L1 table of 32 GiB", "l1-too-large", (bytes) => bytes.writeUInt32BE(0xffffffff, 36)],
    ["with an L1 table below its disk", "l1-too-small", (bytes) => bytes.writeBigUInt64BE(2n ** 40n, 24)],
    ["with no L1 table", "l1-too-small", (bytes) => bytes.writeUInt32BE(0, 36)],
    ["with the L1 table in the header", "misaligned", (bytes) => bytes.writeBigUInt64BE(0n, 40)],
    ["with an unaligned L1 table", "misaligned", (bytes) => bytes.writeBigUInt64BE(0x30200n, 40)],
    ["with the L1 table past the end", "outside-file", (bytes) => bytes.writeBigUInt64BE(2n ** 40n, 40)],
    ["with an L1 table across the end", "outside-file", (bytes) => bytes.writeUInt32BE(2 ** 22, 36)],
  ])("%s: %s", async ([, code, patch]) => {
    const source = memorySource(patched(plain, patch));
    await expect(openQcow2(source)).rejects.toThrow(refused(code));
    expect(source.largestRead).toBeLessThanOrEqual(105);
    expect(source.closed).toBe(true);
  });

  test.for<[number, Qcow2ErrorCode]>([
    [0, "not-qcow2"],
    [7, "not-qcow2"],
    [8, "header-truncated"],
    [71, "header-truncated"],
    [103, "header-truncated"],
    [104, "header-truncated"],
    [105, "outside-file"],
    [2 ** 17, "outside-file"],
  ])("cut after %i bytes: %s", async ([length, code]) => {
    await expect(openBytes(plain.subarray(0, length))).rejects.toThrow(refused(code));
  });
});

describe("a table", () => {
  test.for<[string, Qcow2ErrorCode, Patch]>([
    ["an L2 table off its boundary", "misaligned", (bytes) => bytes.writeBigUInt64BE(0x50200n, l1Of(bytes))],
    ["an L2 table past the end", "outside-file", (bytes) => bytes.writeBigUInt64BE(1n << 50n, l1Of(bytes))],
    ["reserved bits in L1", "entry-invalid", (bytes) => bytes.writeUInt8(0xff, l1Of(bytes))],
    [
      "one L2 table used twice",
      "entry-invalid",
      (bytes) => {
        bytes.writeBigUInt64BE(2n ** 30n, 24);
        bytes.writeUInt32BE(2, 36);
        bytes.copyWithin(l1Of(bytes) + 8, l1Of(bytes), l1Of(bytes) + 8);
      },
    ],
    ["reserved bits in L2", "entry-invalid", patchFirstCluster((entry) => entry | (1n << 60n))],
    ["low reserved bits in L2", "entry-invalid", patchFirstCluster((entry) => entry | 4n)],
    ["a cluster off its boundary", "misaligned", patchFirstCluster((entry) => entry + 512n)],
    ["a cluster past the end", "outside-file", patchFirstCluster((entry) => entry | (1n << 50n))],
    ["a cluster at host offset 0", "entry-invalid", patchFirstCluster(() => 1n << 63n)],
  ])("with %s: %s", async ([, code, patch]) => {
    await expect(openBytes(patched(plain, patch))).rejects.toThrow(refused(code));
  });

  test("of version 2 with a zero flag", async () => {
    const bytes = patched(
      version2,
      patchFirstCluster((entry) => entry | 1n),
    );
    await expect(openBytes(bytes)).rejects.toThrow(refused("entry-invalid"));
  });

  test.for<[string, bigint, bigint]>([
    ["both allocated and zero", (1n << 63n) | 0x50000n, (1n << 32n) | 1n],
    ["allocated nowhere", 0n, 1n],
  ])("with a subcluster %s", async ([, entry, bitmap]) => {
    const bytes = patched(extended, (copy) => {
      copy.writeBigUInt64BE(entry, l2Of(copy));
      copy.writeBigUInt64BE(bitmap, l2Of(copy) + 8);
    });
    await expect(openBytes(bytes)).rejects.toThrow(refused("entry-invalid"));
  });
});

describe("compressed data", () => {
  test("of an extended image with subclusters", async () => {
    const entry = (1n << 62n) | 0x50000n;
    const bytes = patched(extended, (copy) => copy.writeBigUInt64BE(entry, l2Of(copy)));
    await expect(openBytes(bytes)).rejects.toThrow(refused("entry-invalid"));
  });

  const hostOffset = (bytes: Buffer) => Number(bytes.readBigUInt64BE(l2Of(bytes)) & ((1n << 54n) - 1n));

  test.for<[string, Qcow2ErrorCode, Patch]>([
    ["damaged", "cluster-corrupt", (bytes) => bytes.fill(0xff, hostOffset(bytes), hostOffset(bytes) + 16)],
    ["past the end", "outside-file", patchFirstCluster((entry) => entry | (1n << 50n))],
    ["marked as copied", "entry-invalid", patchFirstCluster((entry) => entry | (1n << 63n))],
    ["replaced by the end of it", "cluster-corrupt", patchFirstCluster((entry) => entry + 20n)],
  ])("%s: %s", async ([, code, patch]) => {
    for (const image of [zlib, zstd]) await expect(openBytes(patched(image, patch))).rejects.toThrow(refused(code));
  });

  test("whose last sector is not padded is read", async () => {
    const cluster = Buffer.alloc(2 ** 16, "unpadded");
    for (const [image, data] of [
      [zlib, deflateRawSync(cluster)],
      [zstd, zstdCompressSync(cluster)],
    ] as const) {
      const moreSectors = BigInt(Math.ceil(data.length / 512) - 1);
      const entry = (1n << 62n) | (moreSectors << 54n) | BigInt(image.length);
      const bytes = Buffer.concat([
        patched(
          image,
          patchFirstCluster(() => entry),
        ),
        data,
      ]);
      expect((await openBytes(bytes)).subarray(0, cluster.length).equals(cluster)).toBe(true);
    }
  });
});

describe("policies", () => {
  const dirty = () => patched(plain, (bytes) => bytes.writeBigUInt64BE(1n, 72));
  const corrupt = () => patched(plain, (bytes) => bytes.writeBigUInt64BE(2n, 72));

  test("a dirty image is read, or refused if so wished", async () => {
    expect((await openBytes(dirty())).equals(await openBytes(plain))).toBe(true);
    await expect(openBytes(dirty(), { dirty: "refuse" })).rejects.toThrow(refused("marked-dirty"));
  });

  test("a corrupt image is refused, or read if so wished", async () => {
    expect((await openBytes(corrupt(), { corrupt: "accept" })).equals(await openBytes(plain))).toBe(true);
  });

  test("the largest virtual disk is the caller's to say", async () => {
    await expect(openBytes(plain, { maximumVirtualBytes: 2 ** 20 })).rejects.toThrow(refused("virtual-size-too-large"));
  });
});

describe("what qemu-img itself makes and this reader refuses", () => {
  test.for<[string, Qcow2ErrorCode, string[]]>([
    ["a backing file", "backing-file", ["-b", "/etc/hostname", "-F", "raw"]],
    ["an external data file", "external-data-file", ["-o", "data_file=external.raw", "1M"]],
  ])("%s", async ([name, code, args]) => {
    const qcow2 = join(directory, `${name.replaceAll(" ", "-")}.qcow2`);
    await run("qemu-img", ["create", "-q", "-f", "qcow2", qcow2, ...args], { doing: "making it", cwd: directory });
    await expect(openQcow2(qcow2)).rejects.toThrow(refused(code));
  });

  test("what is not a file", async () => {
    const fifo = join(directory, "fifo");
    await run("mkfifo", [fifo], { doing: "making a FIFO" });
    for (const path of [directory, fifo, join(directory, "missing")]) {
      await expect(openQcow2(path)).rejects.toThrow(refused("open-failed"));
    }
  });
});
