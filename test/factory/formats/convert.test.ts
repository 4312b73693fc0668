import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Advance } from "../../../common/event.ts";
import { run } from "../../../common/run.ts";
import { convertToDisk } from "../../../factory/formats/convert-to-disk.ts";
import { describeImage } from "../../../factory/formats/describe-image.ts";
import type { ImageFormat } from "../../../factory/image-format.ts";
import { writeOva } from "../../lab/ova.ts";
import { makeDisk, makeStream, qemuConvert, readWithQemu, writeBytes } from "./images.ts";

const disk = makeDisk();
let directory: string;
let raw: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "formats-convert-"));
  raw = await writeBytes(join(directory, "disk.raw"), disk);
});
afterAll(() => rm(directory, { recursive: true }));

const makers: Record<string, [ImageFormat, (file: string) => Promise<unknown>, Record<string, unknown>]> = {
  qcow2: ["qcow2", (file) => qemuConvert(raw, file, "qcow2", "-c"), { version: 3, compression: "zlib" }],
  raw: ["raw", (file) => run("cp", [raw, file], { doing: "copying" }), {}],
  xz: ["raw.xz", (file) => compressTo(file, "xz", ["-0"]), { compression: "xz" }],
  "xz in several blocks": ["raw.xz", (file) => compressTo(file, "xz", ["-0", "--block-size=1MiB"]), {}],
  gzip: ["raw.gz", (file) => writeBytes(file, gzipSync(disk)), { compression: "gz" }],
  "gzip of several members": ["raw.gz", (file) => writeBytes(file, inPieces(gzipSync)), {}],
  zstd: ["raw.zst", (file) => writeBytes(file, zstdCompressSync(disk)), { compression: "zst" }],
  "zstd of several frames": ["raw.zst", (file) => writeBytes(file, inPieces(zstdCompressSync)), {}],
  "QEMU's sparse VMDK": [
    "vmdk",
    (file) => qemuConvert(raw, file, "vmdk", "-o", "subformat=monolithicSparse"),
    { version: 1, subformat: "monolithicSparse" },
  ],
  "QEMU's zeroed-grain VMDK": [
    "vmdk",
    (file) => qemuConvert(raw, file, "vmdk", "-S", "0", "-o", "subformat=monolithicSparse,zeroed_grain=on"),
    { version: 2 },
  ],
  "QEMU's stream VMDK": [
    "vmdk",
    (file) => qemuConvert(raw, file, "vmdk", "-o", "subformat=streamOptimized"),
    { subformat: "streamOptimized", grainBytes: 65536, unclean: false },
  ],
  "VMware's stream VMDK, with a footer": [
    "vmdk",
    async (file) => {
      await writeBytes(file, makeStream(disk));
      expect((await readWithQemu(file, "vmdk")).equals(disk)).toBe(true);
    },
    { version: 3, subformat: "streamOptimized" },
  ],
  OVA: ["ova", (file) => writeOva(raw, file), { manifest: "sha256", certificate: false, virtualSystem: "debian" }],
};

const made = new Map<string, Promise<string>>();

/** Makes the file of a name once, for all tests. */
function fileOf(name: string): Promise<string> {
  const [format, make] = makers[name] ?? [];
  const file = join(directory, `${name.replaceAll(/\W+/g, "-")}.${format}`);
  const making = made.get(name) ?? Promise.resolve(make?.(file)).then(() => file);
  made.set(name, making);
  return making;
}

async function compressTo(file: string, program: string, options: string[]): Promise<void> {
  await run(program, ["--stdout", ...options, raw], {
    doing: "compressing",
    consume: async (stdout) => writeFile(file, stdout),
  });
}

const inPieces = (compress: (bytes: Buffer) => Buffer) =>
  Buffer.concat([disk.subarray(0, 700_000), disk.subarray(700_000, 700_001), disk.subarray(700_001)].map(compress));

describe("a raw disk of every format", () => {
  test.for(Object.entries(makers))("%s", async ([name, [format, , details]]) => {
    const file = await fileOf(name);
    const destination = `${file}.out`;
    const seen: Parameters<Advance>[] = [];
    await convertToDisk(file, format, destination, { advance: (...counts) => seen.push(counts) });
    expect((await readFile(destination)).equals(disk)).toBe(true);
    expect((await stat(destination)).blocks * 512).toBeLessThan(3 * 2 ** 20);
    const [bytes, totalBytes] = seen.at(-1) ?? [];
    expect(bytes).toBe(totalBytes);
    expect(seen.map(([count]) => count)).toEqual(seen.map(([count]) => count).toSorted((a, b) => a - b));

    const described = await describeImage(file, format);
    const { size } = await stat(file);
    expect(described).toMatchObject({ format, fileSizeBytes: size, details });
    if (!format.startsWith("raw.")) expect(described.virtualSizeBytes).toBe(disk.length);
  });

  test("a VMDK that QEMU has written to, backwards: neighbors on the disk are apart in the file", async () => {
    const file = join(directory, "changed.vmdk");
    await qemuConvert(raw, file, "vmdk", "-o", "subformat=monolithicSparse");
    const grains = Array.from({ length: 40 }, (_, index) => `write -P ${index + 1} ${20 * 1024 + index * 64}k 64k`);
    const writes = [...grains.toReversed(), "write -P 99 24M 200k"].flatMap((write) => ["-c", write]);
    await run("qemu-io", ["-f", "vmdk", ...writes, file], { doing: "writing" });
    await convertToDisk(file, "vmdk", `${file}.out`);
    expect((await readFile(`${file}.out`)).equals(await readWithQemu(file, "vmdk"))).toBe(true);
  });
});

describe("the destination", () => {
  test("replaces what was there, and a raw disk's is a copy of its own", async () => {
    const destination = join(directory, "replaced.raw");
    await writeFile(destination, "an older file");
    await convertToDisk(raw, "raw", destination);
    await writeFile(destination, "changed", { flag: "r+" });
    expect((await readFile(raw)).equals(disk)).toBe(true);
  });

  test.for(Object.entries(makers))("does not appear when the work is aborted: %s", async ([name, [format]]) => {
    const folder = await mkdtemp(join(directory, "aborted-"));
    const file = await fileOf(name);
    const options = { signal: AbortSignal.abort() };
    const attempt = convertToDisk(file, format, join(folder, "disk.raw"), options);
    await expect(attempt).rejects.toSatisfy(
      ({ name, code }) => name === "AbortError" || code === "interrupted" || code === "ABORT_ERR",
    );
    expect(await readdir(folder)).toEqual([]);
  });

  test.for(Object.entries(makers))("does not appear where it cannot be: %s", async ([name, [format]]) => {
    const file = await fileOf(name);
    const attempt = convertToDisk(file, format, join(directory, "missing", "disk.raw"));
    await expect(attempt).rejects.toMatchObject({ kind: "failed" });
  });

  test("is made of files only", async () => {
    const fifo = join(directory, "fifo");
    await run("mkfifo", [fifo], { doing: "making a FIFO" });
    for (const path of [fifo, directory, join(directory, "missing")]) {
      for (const format of ["raw", "qcow2", "raw.gz", "vmdk", "ova"] as const) {
        await expect(convertToDisk(path, format, join(directory, "of-no-file"))).rejects.toMatchObject({
          code: "image-unreadable",
          kind: "configuration",
        });
      }
    }
  });

  test("is made of an image behind a symbolic link, and of one whose name looks like an option", async () => {
    const odd = join(directory, "--version.raw");
    await symlink(raw, odd);
    await convertToDisk(odd, "raw", join(directory, "odd.raw"));
    expect((await readFile(join(directory, "odd.raw"))).equals(disk)).toBe(true);
  });

  test("is never made of an archive", async () => {
    await expect(convertToDisk(raw, "tar.xz", join(directory, "archive.raw"))).rejects.toMatchObject({
      code: "format-no-disk",
    });
  });
});

describe("a limit on the size of the disk", () => {
  test.for(Object.entries(makers))("holds: %s", async ([name, [format]]) => {
    const folder = await mkdtemp(join(directory, "limited-"));
    const file = await fileOf(name);
    const attempt = convertToDisk(file, format, join(folder, "disk.raw"), { maximumBytes: disk.length - 1 });
    await expect(attempt).rejects.toMatchObject({ code: expect.stringMatching(/too-large$/), kind: "integrity" });
    expect(await readdir(folder)).toEqual([]);
    await convertToDisk(file, format, join(folder, "disk.raw"), { maximumBytes: disk.length });
  });
});
