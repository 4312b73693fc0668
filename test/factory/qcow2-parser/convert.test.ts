import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../../common/run.ts";
import { convertToRaw, openQcow2, type Qcow2Info } from "../../../factory/qcow2-parser/index.ts";
import { change, convertToQcow2, createQcow2, readWithQemu, writeRawDisk } from "./images.ts";

let directory: string;
let raw: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "qcow2-convert-"));
  raw = await writeRawDisk(join(directory, "disk.raw"));
});
afterAll(() => rm(directory, { recursive: true }));

/** Converts with our reader and with QEMU's, and compares every byte. */
async function compareWithQemu(qcow2: string): Promise<Readonly<Qcow2Info>> {
  const image = await openQcow2(qcow2);
  const destination = `${qcow2}.raw`;
  try {
    const { virtualSizeBytes } = await convertToRaw(image, destination);
    const [ours, reference] = [await readFile(destination), await readWithQemu(qcow2)];
    expect(virtualSizeBytes).toBe(reference.length);
    expect(ours.equals(reference)).toBe(true);
    return image.info;
  } finally {
    await image.close();
  }
}

describe("byte-identical with qemu-img convert", () => {
  test.for([
    ["version 2", "compat=0.10", false, { version: 2 }],
    ["version 2, zlib", "compat=0.10", true, { version: 2, compression: "zlib" }],
    ["64 KiB clusters", "cluster_size=64k", false, { version: 3, clusterBytes: 65536 }],
    ["64 KiB clusters, zlib", "cluster_size=64k", true, { compression: "zlib" }],
    ["64 KiB clusters, zstd", "cluster_size=64k,compression_type=zstd", true, { compression: "zstd" }],
    ["512 B clusters", "cluster_size=512", false, { clusterBytes: 512 }],
    ["512 B clusters, zlib", "cluster_size=512", true, { clusterBytes: 512 }],
    ["512 B clusters, zstd", "cluster_size=512,compression_type=zstd", true, { clusterBytes: 512 }],
    ["2 MiB clusters", "cluster_size=2M", false, { clusterBytes: 2 ** 21 }],
    ["2 MiB clusters, zlib", "cluster_size=2M", true, { clusterBytes: 2 ** 21 }],
    ["2 MiB clusters, zstd", "cluster_size=2M,compression_type=zstd", true, { clusterBytes: 2 ** 21 }],
    ["preallocated", "preallocation=metadata", false, {}],
    ["extended L2", "extended_l2=on,cluster_size=64k", false, { extendedL2: true }],
    ["extended L2, zstd", "extended_l2=on,cluster_size=16k,compression_type=zstd", true, { extendedL2: true }],
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
    expect(await convertToRaw(image, destination)).toEqual({ virtualSizeBytes: 2 ** 40, dataBytes: 2 ** 20 });
    await image.close();
    const { size, blocks } = await stat(destination);
    expect(size).toBe(2 ** 40);
    expect(blocks * 512).toBeLessThan(2 ** 21);
  });

  test("replaces what was there, and progress ends at the total", async () => {
    const qcow2 = join(directory, "progress.qcow2");
    const destination = join(directory, "existing.raw");
    await convertToQcow2(raw, qcow2, "cluster_size=64k", true);
    await writeFile(destination, "an older file");
    const image = await openQcow2(qcow2);
    const seen: number[] = [];
    await convertToRaw(image, destination, { onProgress: (bytes) => seen.push(bytes), concurrency: 1 });
    await image.close();
    expect((await readFile(destination)).equals(await readFile(raw))).toBe(true);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toBe(image.info.virtualSizeBytes);
  });

  test("does not appear, nor a part of it, when the work is aborted, damaged or impossible", async () => {
    const qcow2 = join(directory, "failing.qcow2");
    const folder = await mkdtemp(join(directory, "empty-"));
    await convertToQcow2(raw, qcow2, "cluster_size=64k", true);
    const image = await openQcow2(qcow2);
    const abort = new AbortController();
    const options = { signal: abort.signal, onProgress: () => abort.abort() };
    await expect(convertToRaw(image, join(folder, "a.raw"), options)).rejects.toThrow(
      expect.objectContaining({ name: "AbortError" }),
    );
    await expect(convertToRaw(image, join(folder, "missing", "b.raw"))).rejects.toThrow(
      expect.objectContaining({ name: "Qcow2Error", code: "write-failed" }),
    );
    await image.close();

    const bytes = await readFile(qcow2);
    const damaged = join(directory, "damaged.qcow2");
    await writeFile(damaged, bytes.fill(0xff, bytes.length - 2 ** 16));
    const broken = await openQcow2(damaged);
    await expect(convertToRaw(broken, join(folder, "c.raw"))).rejects.toThrow(
      expect.objectContaining({ code: "cluster-corrupt" }),
    );
    await broken.close();
    expect(await readdir(folder)).toEqual([]);
  });
});
