import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../../common/run.ts";
import { convertToQcow2 } from "./images.ts";

const parser = new URL("../../../factory/qcow2-parser/", import.meta.url).pathname;
const MiB = 2 ** 20;
const diskBytes = 256 * MiB;

/**
 * Converts, and says how many threads it started and how much memory it took: by proc(5), since getrusage(2) would count
 * the process that it was forked from.
 */
const program = `
  import { readFileSync } from "node:fs";
  const [entry, image, destination, threads] = process.argv.slice(2);
  const { convertToRaw, openQcow2 } = await import(entry);
  let started = 0;
  process.on("worker", () => { started += 1; });
  const opened = await openQcow2(image);
  await convertToRaw(opened, destination, threads === undefined ? {} : { threads: Number(threads) });
  await opened.close();
  const [, peakKiB] = /^VmHWM:\\s*(\\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"));
  console.log(JSON.stringify({ started, peakBytes: peakKiB * 1024 }));
`;

let directory: string;
let script: string;
let disk: Buffer;
let image: string;

/** A disk that decompresses to much more than the memory allowed, from a file above the size that threads are for. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "qcow2-threads-"));
  script = join(directory, "program.mjs");
  image = join(directory, "large.qcow2");
  const raw = join(directory, "large.raw");
  await writeFile(script, program);
  await using file = await open(raw, "w");
  for (let position = 0; position < diskBytes; position += MiB) {
    await file.write(halfNoise(position), 0, MiB, position);
  }
  disk = await readFile(raw);
  await convertToQcow2(raw, image, "compression_type=zstd", true);
});
afterAll(() => rm(directory, { recursive: true }));

/** Each cluster of 64 KiB: noise, and then what compresses to nothing. */
function halfNoise(seed: number): Buffer {
  const bytes = Buffer.alloc(MiB, "cast");
  let state = seed + 1;
  for (let index = 0; index < MiB; index += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    if (index % 65536 < 16384) bytes.writeUInt32LE(state, index);
  }
  return bytes;
}

async function convert(entry: string, ...threads: string[]): Promise<{ started: number; peakBytes: number }> {
  const destination = join(directory, "converted.raw");
  const args = [script, entry, image, destination, ...threads];
  const { stdout } = await run(process.execPath, args, { doing: "converting" });
  expect((await readFile(destination)).equals(disk)).toBe(true);
  return JSON.parse(stdout);
}

const compile = (entryPoints: string[], outdir: string) =>
  build({ entryPoints, outdir, entryNames: "[name]", bundle: true, format: "esm", platform: "node", target: "node24" });

test("memory stays below 192 MiB with two threads, whatever comes out of the image", async () => {
  const { started, peakBytes } = await convert(join(parser, "index.ts"), "2");
  expect(started).toBe(2);
  expect(peakBytes).toBeLessThan(192 * MiB);
});

test("memory stays below 256 MiB without threads of our own", async () => {
  const { started, peakBytes } = await convert(join(parser, "index.ts"), "0");
  expect(started).toBe(0);
  expect(peakBytes).toBeLessThan(256 * MiB);
});

test("compiled, it finds the worker's file beside it and starts threads by itself", async () => {
  const folder = join(directory, "compiled");
  await compile([join(parser, "index.ts"), join(parser, "copy-worker.ts")], folder);
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  expect((await convert(join(folder, "index.js"))).started).toBeGreaterThan(0);
});

test("in one bundle, where there is no such file, it does without", async () => {
  const folder = join(directory, "bundled");
  await compile([join(parser, "index.ts")], folder);
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  expect((await convert(join(folder, "index.js"))).started).toBe(0);
  expect((await convert(join(folder, "index.js"), "2")).started).toBe(0);
});
