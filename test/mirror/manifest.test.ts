import fc from "fast-check";
import { expect, test } from "vitest";
import { type Manifest, parseManifest } from "../../mirror/manifest.ts";
import { makeSampleImage } from "./sample-image.ts";

const { manifest } = makeSampleImage();
const bytesOf = (value: unknown) => Buffer.from(JSON.stringify(value));
const changed = (change: (copy: Manifest) => void): Manifest => {
  const copy = structuredClone(manifest);
  change(copy);
  return copy;
};

test("a manifest is read, with the fields that are not known yet", () => {
  expect(parseManifest(bytesOf({ ...manifest, future: { x: 1 } }))).toEqual({ ...manifest, future: { x: 1 } });
});

test("all problems are named at once, with their paths", () => {
  const broken = {
    ...manifest,
    name: "Debian 12",
    arch: "vax",
    files: [{ path: "../../etc/shadow", sizeBytes: -1, sha256: "x" }],
  };
  const parse = () => parseManifest(bytesOf(broken), "s3://images/manifest.json");
  expect(parse).toThrow(
    expect.objectContaining({
      code: "manifest-invalid",
      kind: "integrity",
      data: {
        problems: expect.arrayContaining(
          ["name", "arch", "files.0.path", "files.0.sizeBytes", "files.0.sha256"].map(startingWith),
        ),
      },
    }),
  );
  expect(parse).toThrow(/^reading s3:\/\/images\/manifest\.json: /);
});

test.each<[string, (copy: Manifest) => void, string]>([
  ["a gap between frames", (copy) => copy.frames.splice(1, 1), "frames.1.offset"],
  ["frames in another order", (copy) => copy.frames.reverse(), "frames.0.offset"],
  ["frames beyond the archive", (copy) => Object.assign(copy.files[0] ?? {}, { sizeBytes: 5 }), "frames"],
  ["a shard that is missing", (copy) => copy.shards.pop(), "shards"],
  ["shards that overlap", (copy) => Object.assign(copy.shards[1] ?? {}, { firstFrame: 0 }), "shards.1.firstFrame"],
  ["a shard beyond the frames", (copy) => Object.assign(copy.shards.at(-1) ?? {}, { frameCount: 2 ** 40 }), "shards"],
  ["a shard of another size", (copy) => Object.assign(copy.shards[0] ?? {}, { plainBytes: 1 }), "shards.0.plainBytes"],
  ["no archive", (copy) => Object.assign(copy.files[0] ?? {}, { path: "image.tar" }), "files"],
  ["a file twice", (copy) => copy.files.push(...copy.files), "files.1.path"],
  [
    "a frame too large for memory",
    (copy) => Object.assign(copy.frames[0] ?? {}, { plainBytes: 2 ** 40 }),
    "frames.0.plainBytes",
  ],
])("%s", (_, change, path) => {
  const problems = expect.arrayContaining([startingWith(path)]);
  expect(() => parseManifest(bytesOf(changed(change)))).toThrow(
    expect.objectContaining({ code: "manifest-invalid", data: { problems } }),
  );
});

test("any bytes and any JSON are a manifest or a Failure", () => {
  const hostile = fc.oneof(
    fc.uint8Array(),
    fc.json().map((text) => Buffer.from(text)),
    fc
      .record({ frames: fc.anything(), shards: fc.anything(), files: fc.anything() })
      .map((part) => bytesOf({ ...manifest, ...part })),
  );
  fc.assert(
    fc.property(hostile, (bytes) => {
      expect(() => parseManifest(bytes)).toThrow(expect.objectContaining({ code: "manifest-invalid" }));
    }),
  );
});

function startingWith(path: string) {
  return expect.stringMatching(new RegExp(`^${path.replaceAll(".", "\\.")}: `));
}
