import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync, zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../../common/run.ts";
import { convertToRaw, openQcow2, type Qcow2Info } from "../../../factory/qcow2-parser/index.ts";
import { change, convertToQcow2, createQcow2, memorySource, readWithQemu, writeRawDisk } from "./images.ts";

let directory: string;
let raw: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "qcow2-convert-"));
  raw = await writeRawDisk(join(directory, "disk.raw"));
});
afterAll(() => rm(directory, { recursive: true }));

/** Converts with our reader, in this thread and in another, and with QEMU's, and compares every byte. */
async function compareWithQemu(qcow2: string): Promise<Readonly<Qcow2Info>> {
  const image = await openQcow2(qcow2);
  const destination = `${qcow2}.raw`;
  const reference = await readWithQemu(qcow2);
  try {
    for (const threads of [0, 1]) {
      const { virtualSizeBytes } = await convertToRaw(image, destination, { threads });
      expect(virtualSizeBytes).toBe(reference.length);
      expect((await readFile(destination)).equals(reference)).toBe(true);
    }
    return image.info;
  } finally {
    await image.close();
  }
}

describe("byte-identical with qemu-img convert", () => {
  const sizes = Array.from({ length: 13 }, (_, index) => 2 ** (index + 9));

  test.for(sizes)("clusters of %i bytes: stored, zlib, zstd", async (clusterBytes) => {
    for (const [name, options, compress] of [
      ["stored", "compat=1.1", false],
      ["zlib", "compat=1.1", true],
      ["zstd", "compression_type=zstd", true],
    ] as const) {
      const qcow2 = join(directory, `${name}-${clusterBytes}.qcow2`);
      await convertToQcow2(raw, qcow2, `cluster_size=${clusterBytes},${options}`, compress);
      expect(await compareWithQemu(qcow2)).toMatchObject({ version: 3, clusterBytes });
      await rm(qcow2);
    }
  });

  test.for([
    ["version 2", "compat=0.10", false, { version: 2 }],
    ["version 2, zlib", "compat=0.10", true, { version: 2, compression: "zlib" }],
    ["version 2, 512 B clusters, zlib", "compat=0.10,cluster_size=512", true, { version: 2, clusterBytes: 512 }],
    ["preallocated", "preallocation=metadata", false, {}],
    ["extended L2", "extended_l2=on,cluster_size=64k", false, { extendedL2: true }],
    ["extended L2, preallocated", "extended_l2=on,preallocation=metadata", false, { extendedL2: true }],
    ["extended L2, zlib", "extended_l2=on,cluster_size=2M", true, { extendedL2: true, compression: "zlib" }],
    [
      "extended L2, zstd",
      "extended_l2=on,cluster_size=16k,compression_type=zstd",
      true,
      { extendedL2: true, compression: "zstd" },
    ],
    ["reference counts of 1 bit", "refcount_bits=1", false, {}],
    ["reference counts of 64 bits, lazy", "refcount_bits=64,lazy_refcounts=on", true, {}],
  ] as const)("%s", async ([name, options, compress, expected]) => {
    const qcow2 = join(directory, `${name.replaceAll(/\W+/g, "-")}.qcow2`);
    await convertToQcow2(raw, qcow2, options, compress);
    expect(await compareWithQemu(qcow2)).toMatchObject(expected);
  });

  test.for(["cluster_size=64k", "cluster_size=64k,extended_l2=on", "cluster_size=4k", "compat=0.10"])(
    "zeroed, discarded, rewritten: %s",
    async (options) => {
      const qcow2 = join(directory, `changed-${options}.qcow2`);
      await convertToQcow2(raw, qcow2, options);
      await change(
        qcow2,
        "write -z 64k 256k",
        "write -z -u 512k 128k",
        "discard 1M 512k",
        "write -P 7 130k 3k",
        "write -z 1600k 2k",
      );
      await compareWithQemu(qcow2);
    },
  );

  test("compressed clusters written over in part", async () => {
    const qcow2 = join(directory, "mixed.qcow2");
    await convertToQcow2(raw, qcow2, "compression_type=zstd", true);
    await change(qcow2, "write -P 9 100k 8k", "write -z 256k 64k");
    await compareWithQemu(qcow2);
  });

  test("the active disk of an image with snapshots", async () => {
    const qcow2 = join(directory, "snapshots.qcow2");
    await convertToQcow2(raw, qcow2, "cluster_size=64k");
    await run("qemu-img", ["snapshot", "-c", "before", qcow2], { doing: "taking a snapshot" });
    await change(qcow2, "write -P 5 0 200k");
    expect(await compareWithQemu(qcow2)).toMatchObject({ snapshots: 1 });
  });

  test("with header extensions of QEMU's and one that nobody knows", async () => {
    const qcow2 = join(directory, "extensions.qcow2");
    await convertToQcow2(raw, qcow2, "cluster_size=64k", true);
    await run("qemu-img", ["bitmap", "--add", qcow2, "backup"], { doing: "adding a bitmap" });
    await compareWithQemu(qcow2);

    const bytes = await readFile(qcow2);
    // "Header extensions" begin after the header: a type, a length, the data. The unknown one is long and unfinished.
    bytes.writeUInt32BE(0x6d657461, bytes.readUInt32BE(100));
    bytes.writeUInt32BE(0xfffffff8, bytes.readUInt32BE(100) + 4);
    const image = await openQcow2(memorySource(bytes));
    expect((await image.read(0, image.info.virtualSizeBytes)).equals(await readWithQemu(qcow2))).toBe(true);
  });

  test("with a larger L1 table than its size needs", async () => {
    const qcow2 = join(directory, "shrunk.qcow2");
    await createQcow2(qcow2, "cluster_size=512", "4M");
    await change(qcow2, "write -P 3 0 64k", "write -P 4 3M 64k");
    const bytes = await readFile(qcow2);
    bytes.writeBigUInt64BE(2n ** 20n + 512n, 24);
    await writeFile(qcow2, bytes);
    expect(await compareWithQemu(qcow2)).toMatchObject({ virtualSizeBytes: 2 ** 20 + 512 });
  });

  test.for(["zlib", "zstd"] as const)(
    "with a %s cluster at the end, its last sector not padded",
    async (compression) => {
      const qcow2 = join(directory, `unpadded-${compression}.qcow2`);
      await convertToQcow2(raw, qcow2, `compression_type=${compression}`, true);
      const bytes = await readFile(qcow2);
      const cluster = Buffer.alloc(2 ** 16, "unpadded");
      const data = compression === "zlib" ? deflateRawSync(cluster) : zstdCompressSync(cluster);
      const l1 = Number(bytes.readBigUInt64BE(40));
      const l2 = Number(bytes.readBigUInt64BE(l1) & 0x00ff_ffff_ffff_fe00n);
      const moreSectors = BigInt(Math.ceil(data.length / 512) - 1);
      bytes.writeBigUInt64BE((1n << 62n) | (moreSectors << 54n) | BigInt(bytes.length), l2);
      await writeFile(qcow2, Buffer.concat([bytes, data]));
      await compareWithQemu(qcow2);
    },
  );

  test.for(["0", "512", "1000448", "33554944"])("an empty disk of %s bytes", async (size) => {
    const qcow2 = join(directory, `empty-${size}.qcow2`);
    await createQcow2(qcow2, "cluster_size=512", size);
    expect(await compareWithQemu(qcow2)).toMatchObject({ virtualSizeBytes: Number(size) });
  });
});

describe("the raw file", () => {
  test("is as sparse as the disk, whatever its size", async () => {
    const qcow2 = join(directory, "huge.qcow2");
    await createQcow2(qcow2, "cluster_size=64k", "1T");
    await change(qcow2, "write -P 1 700G 1M", "write -P 0 800G 1M");
    const image = await openQcow2(qcow2);
    const destination = join(directory, "huge.raw");
    for (const threads of [0, 2]) {
      const result = await convertToRaw(image, destination, { threads });
      expect(result).toEqual({ virtualSizeBytes: 2 ** 40, dataBytes: 2 ** 20 });
    }
    await image.close();
    const { size, blocks } = await stat(destination);
    expect(size).toBe(2 ** 40);
    expect(blocks * 512).toBeLessThan(2 ** 21);
  });

  test.for([0, 1, 3])("replaces what was there, and progress ends at the total: %i threads", async (threads) => {
    const qcow2 = join(directory, "progress.qcow2");
    const destination = join(directory, "existing.raw");
    await convertToQcow2(raw, qcow2, "cluster_size=64k", true);
    await writeFile(destination, "an older file");
    const image = await openQcow2(qcow2);
    const seen: number[] = [];
    await convertToRaw(image, destination, { onProgress: (bytes) => seen.push(bytes), threads });
    await image.close();
    expect((await readFile(destination)).equals(await readFile(raw))).toBe(true);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toBe(image.info.virtualSizeBytes);
  });

  test.for([0, 2])("does not appear if aborted, damaged or impossible: %i threads", async (threads) => {
    const qcow2 = join(directory, `failing-${threads}.qcow2`);
    const folder = await mkdtemp(join(directory, "empty-"));
    await convertToQcow2(raw, qcow2, "cluster_size=64k", true);
    const image = await openQcow2(qcow2);
    const abort = new AbortController();
    const options = { threads, signal: abort.signal, onProgress: () => abort.abort() };
    await expect(convertToRaw(image, join(folder, "a.raw"), options)).rejects.toThrow(
      expect.objectContaining({ name: "AbortError" }),
    );
    await expect(convertToRaw(image, join(folder, "a.raw"), { threads, signal: abort.signal })).rejects.toThrow(
      expect.objectContaining({ name: "AbortError" }),
    );
    const onProgress = () => {
      throw new RangeError("not mine");
    };
    await expect(convertToRaw(image, join(folder, "a.raw"), { threads, onProgress })).rejects.toThrow(RangeError);
    await expect(convertToRaw(image, join(folder, "missing", "b.raw"), { threads })).rejects.toThrow(
      expect.objectContaining({ name: "Qcow2Error", code: "write-failed" }),
    );
    await image.close();

    const bytes = await readFile(qcow2);
    const damaged = join(directory, `damaged-${threads}.qcow2`);
    await writeFile(damaged, bytes.fill(0xff, bytes.length - 2 ** 16));
    const broken = await openQcow2(damaged);
    await expect(convertToRaw(broken, join(folder, "c.raw"), { threads })).rejects.toThrow(
      expect.objectContaining({ name: "Qcow2Error", code: "cluster-corrupt" }),
    );
    await broken.close();
    expect(await readdir(folder)).toEqual([]);
  });

  test.for([0, 2])("of an image that is cut short after it was opened: %i threads", async (threads) => {
    const qcow2 = join(directory, `shortened-${threads}.qcow2`);
    const destination = join(directory, `shortened-${threads}.raw`);
    await convertToQcow2(raw, qcow2, "cluster_size=64k");
    const image = await openQcow2(qcow2);
    await truncate(qcow2, 2 ** 19);
    await expect(convertToRaw(image, destination, { threads })).rejects.toThrow(
      expect.objectContaining({ name: "Qcow2Error", code: "outside-file" }),
    );
    await image.close();
    await expect(stat(destination)).rejects.toThrow("ENOENT");
  });
});
