import fc from "fast-check";
import { expect, test } from "vitest";
import type { Frame } from "../../../mirror/manifest.ts";
import type { Store } from "../../../mirror/store.ts";
import { countReused, type Piece, planPieces, skipBytes } from "../../../mirror/sync/reuse-frames.ts";
import { sync } from "../../../mirror/sync/sync.ts";
import { changedStore } from "../changed-store.ts";
import { collect } from "../gather.ts";
import { type SampleImage, sha256 } from "../sample-image.ts";
import { MemoryStore } from "./memory-store.ts";
import {
  contents,
  putMirror,
  putStatement,
  putVersion,
  readEverything,
  sampleVersion,
  versionPrefix,
} from "./unsigned-mirror.ts";

const options = { emit: () => undefined, retryDelayMs: 1 };
const former = sampleVersion("20261121.0");
const fresh = sampleVersion("20261122.0");
const archiveOf = (image: SampleImage) => `${versionPrefix(image)}image.tar.zst`;

const frameBytes = ({ manifest, archive }: SampleImage, index: number) => {
  const { offset = 0, sizeBytes = 0 } = manifest.frames[index] ?? {};
  return archive.subarray(offset, offset + sizeBytes);
};

/** The fresh version, but with these frames as the former one has them. */
function withFormerFrames(indexes: number[]): SampleImage {
  let offset = 0;
  const parts: Buffer[] = [];
  const frames = fresh.manifest.frames.map((own, index): Frame => {
    const image = indexes.includes(index) ? former : fresh;
    const bytes = frameBytes(image, index);
    parts.push(bytes);
    offset += bytes.byteLength;
    return { ...own, offset: offset - bytes.byteLength, sizeBytes: bytes.byteLength, sha256: sha256(bytes) };
  });
  const archive = Buffer.concat(parts);
  const files = [{ path: "image.tar.zst", sizeBytes: archive.byteLength, sha256: sha256(archive) }];
  return { ...fresh, archive, manifest: { ...fresh.manifest, frames, files } };
}

/** Where the archive was read from, and which of its bytes. */
function watched(store: Store) {
  const ranges: [key: string, start: number | undefined, end: number | undefined][] = [];
  const watching = changedStore(store, {
    read(key, readOptions = {}) {
      if (key.endsWith(".zst")) ranges.push([key, readOptions.range?.start, readOptions.range?.end]);
      return store.read(key, readOptions);
    },
  });
  return { watching, ranges };
}

async function openPlaces(next: SampleImage) {
  const [from, to] = [new MemoryStore(), new MemoryStore()];
  await putMirror(from, 1, { images: [former] });
  await sync(from, to, options);
  await putVersion(from, next);
  await putStatement(from, 2, { images: [former, next] });
  return { from, to };
}

test("frames that the target has in another version do not travel", async () => {
  const next = withFormerFrames([0, 1, 3]);
  const { from, to } = await openPlaces(next);
  const source = watched(from);
  const target = watched(to);
  const summary = await sync(source.watching, target.watching, options);
  expect(await readEverything(to)).toBe(2);
  expect((await collect(to.read(archiveOf(next)))).equals(next.archive)).toBe(true);
  const [, , second, third] = next.manifest.frames;
  expect(source.ranges).toEqual([[archiveOf(next), second?.offset, third?.offset]]);
  expect(target.ranges.map(([key]) => key)).toEqual([archiveOf(former), archiveOf(former)]);
  expect(summary.reusedBytes).toBe([0, 1, 3].reduce((sum, index) => sum + frameBytes(former, index).byteLength, 0));
  expect(summary.copied.bytes).toBeGreaterThan(next.archive.byteLength);
});

test("what lies in a directory comes from there, since reading the target costs more", async () => {
  const { from, to } = await openPlaces(withFormerFrames([0, 1, 3]));
  const target = watched(to);
  const directory = changedStore(from, { url: "file:///srv/mirror" });
  expect(await sync(directory, target.watching, options)).toMatchObject({ reusedBytes: 0 });
  expect(target.ranges).toEqual([]);
});

test("nothing alike: it comes in one piece from the source", async () => {
  const { from, to } = await openPlaces(fresh);
  const source = watched(from);
  const summary = await sync(source.watching, to, options);
  expect(source.ranges).toEqual([[archiveOf(fresh), undefined, undefined]]);
  expect(summary.reusedBytes).toBe(0);
});

test("where the target's own bytes are damaged, the source's are taken", async () => {
  const next = withFormerFrames([0, 1, 3]);
  const { from, to } = await openPlaces(next);
  await to.write(archiveOf(former), Buffer.from(former.archive).fill("x", 20, 21));
  const summary = await sync(from, to, options);
  expect(summary.reusedBytes).toBe(0);
  expect((await collect(to.read(archiveOf(next)))).equals(next.archive)).toBe(true);
});

test("where the target's manifest is of no use, it is done without", async () => {
  const next = withFormerFrames([1]);
  const { from, to } = await openPlaces(next);
  const key = `${versionPrefix(former)}manifest.json`;
  await to.write(key, (await collect(to.read(key))).fill(" ", 0, 1));
  const summary = await sync(from, to, options);
  expect(summary.reusedBytes).toBe(0);
  expect((await collect(to.read(archiveOf(next)))).equals(next.archive)).toBe(true);
  expect(Object.keys(await contents(to))).toContain(archiveOf(next));
});

test("whatever two versions have in common, the pieces make up the new one, and what is left of it", () => {
  const content = fc.constantFrom("a", "bb", "ccc", "dddd", "eeeee");
  const layOut = (parts: string[]) => {
    let offset = 0;
    return parts.map((part): Frame => {
      offset += part.length;
      return { offset: offset - part.length, sizeBytes: part.length, plainBytes: 1, sha256: sha256(Buffer.from(part)) };
    });
  };
  fc.assert(
    fc.property(fc.array(content, { minLength: 1 }), fc.array(content), fc.nat(60), (next, base, begun) => {
      const pieces = planPieces(layOut(next), layOut(base));
      const assemble = (all: Piece[]) =>
        all.map(({ reused, start, end }) => (reused ? base : next).join("").slice(start, end)).join("");
      expect(assemble(pieces)).toBe(next.join(""));
      expect(assemble(skipBytes(pieces, begun))).toBe(next.join("").slice(begun));
      const common = next.filter((part) => base.includes(part)).join("").length;
      expect(countReused(pieces)).toBe(common);
    }),
  );
});
