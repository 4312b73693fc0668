import { type FileHandle, mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { convertToRaw, openQcow2, Qcow2Error, type Qcow2Image } from "../../../factory/qcow2-parser/index.ts";
import { cutIntoShares } from "../../../factory/qcow2-parser/layout.ts";
import { ShareCopier } from "../../../factory/qcow2-parser/share-copier.ts";
import { Turn } from "../../../factory/qcow2-parser/turn.ts";
import { change, convertToQcow2, writeRawDisk } from "./images.ts";

/** Keeps what a damaged header asks for within a test's time. */
const maximumVirtualBytes = 2 ** 25;

const kinds = {
  "version 2": ["compat=0.10,cluster_size=4k", false],
  "512 B clusters": ["cluster_size=512", true],
  zlib: ["cluster_size=64k", true],
  zstd: ["cluster_size=64k,compression_type=zstd", true],
  "2 MiB clusters": ["cluster_size=2M,compression_type=zstd", true],
  "extended L2": ["extended_l2=on,cluster_size=16k,compression_type=zstd", true],
} as const;

let directory: string;
const images = new Map<string, Buffer>();
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "qcow2-fuzz-"));
  const raw = await writeRawDisk(join(directory, "disk.raw"));
  for (const [kind, [options, compress]] of Object.entries(kinds)) {
    const qcow2 = join(directory, "made.qcow2");
    await convertToQcow2(raw, qcow2, options, compress);
    await change(qcow2, "write -P 3 2100k 3k", "write -z 64k 70k");
    images.set(kind, await readFile(qcow2));
    await rm(qcow2);
  }
});
afterAll(() => rm(directory, { recursive: true }));

type Outcome = { disk: Buffer } | { code: string };

/** @throws whatever is not a Qcow2Error: that is what these tests look for */
async function outcomeOf(convert: () => Promise<Buffer>): Promise<Outcome> {
  try {
    return { disk: await convert() };
  } catch (error) {
    if (error instanceof Qcow2Error) return { code: error.code };
    throw error;
  }
}

async function openOrRefuse(path: string): Promise<Qcow2Image | undefined> {
  try {
    return await openQcow2(path, { maximumVirtualBytes, corrupt: "accept" });
  } catch (error) {
    if (error instanceof Qcow2Error) return undefined;
    throw error;
  }
}

/** What a worker thread does, in this one. */
async function copyShares({ layout }: Qcow2Image, output: FileHandle): Promise<void> {
  const { header, fileSizeBytes, fileDescriptor: input } = layout;
  if (input === undefined) throw new Error("the image is not a file");
  await output.truncate(header.virtualSizeBytes);
  const job = { header, fileSizeBytes, input, output: output.fd, writing: Turn.share(), destination: "the disk" };
  const copier = new ShareCopier(job);
  for (const share of cutIntoShares(layout)) copier.copy(share);
}

type Region = "header" | "l1" | "l2" | "anywhere";
const region = fc.constantFrom<Region>("header", "l1", "l2", "anywhere", "anywhere");
const edit = fc.oneof(
  fc.record({ kind: fc.constant("flip" as const), bit: fc.integer({ min: 0, max: 7 }) }),
  fc.record({ kind: fc.constant("field" as const), value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
  fc.record({ kind: fc.constant("copy" as const), from: fc.nat(), length: fc.integer({ min: 1, max: 4096 }) }),
);
const changes = fc.array(fc.record({ region, place: fc.nat(), edit }), { minLength: 1, maxLength: 3 });
type Change = typeof changes extends fc.Arbitrary<(infer Item)[]> ? Item : never;

function damage(image: Buffer, list: readonly Change[]): Buffer {
  const bytes = Buffer.from(image);
  for (const { region, place, edit } of list) {
    const [start, length] = boundsOf(image, region);
    const target = Math.min(start + (place % length), bytes.length - 8);
    if (edit.kind === "flip") bytes.writeUInt8(bytes.readUInt8(target) ^ (1 << edit.bit), target);
    else if (edit.kind === "field") bytes.writeBigUInt64BE(edit.value, target - (target % 8));
    else bytes.copyWithin(target, edit.from % bytes.length, (edit.from % bytes.length) + edit.length);
  }
  return bytes;
}

function boundsOf(image: Buffer, region: Region): [start: number, length: number] {
  const l1 = Number(image.readBigUInt64BE(40));
  if (region === "header") return [0, 112];
  if (region === "l1") return [l1, 64];
  if (region === "l2") return [Number(image.readBigUInt64BE(l1) & 0x00ff_ffff_ffff_fe00n), 640];
  return [0, image.length];
}

/** Only typed errors, no half of a file, and one answer, whichever way the image is read. */
test.for(Object.keys(kinds))("damaged images: %s", async (kind) => {
  const image = images.get(kind) ?? Buffer.alloc(0);
  const qcow2 = join(directory, `${kind}.qcow2`);
  const shared = join(directory, `${kind}.shared`);
  const folder = await mkdtemp(join(directory, "output-"));
  const outcomes = { read: 0, refused: 0 };
  const cut = fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, fc.nat({ max: image.length }));
  await fc.assert(
    fc.asyncProperty(changes, cut, async (list, cut) => {
      await writeFile(qcow2, damage(image, list));
      if (cut !== null) await truncate(qcow2, cut);
      const damaged = await openOrRefuse(qcow2);
      if (damaged === undefined) {
        outcomes.refused += 1;
        return;
      }
      try {
        const whole = join(folder, "disk.raw");
        const alone = await outcomeOf(async () => {
          await convertToRaw(damaged, whole, { threads: 0 });
          return readFile(whole);
        });
        const apart = await outcomeOf(async () => {
          await using output = await open(shared, "w");
          await copyShares(damaged, output);
          return readFile(shared);
        });
        if ("code" in alone) expect("code" in apart).toBe(true);
        else expect("disk" in apart && apart.disk.equals(alone.disk)).toBe(true);
        outcomes["code" in alone ? "refused" : "read"] += 1;
        expect(await readdir(folder)).toEqual("code" in alone ? [] : ["disk.raw"]);
      } finally {
        await damaged.close();
        await rm(join(folder, "disk.raw"), { force: true });
      }
    }),
    {
      numRuns: 60,
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
