import { randomBytes } from "node:crypto";
import { makeSampleImage, type SampleImage, sha256 } from "../sample-image.ts";

const frameBytes = 2 ** 22;

/** An image whose archive is no archive, but as large, and with no two parts alike. What its frames hold nobody reads. */
export function makeLargeImage(version: string, sizeBytes: number): SampleImage {
  const { manifest } = makeSampleImage({ version });
  const archive = randomBytes(sizeBytes);
  const offsets = Array.from({ length: Math.ceil(sizeBytes / frameBytes) }, (_, index) => index * frameBytes);
  const frames = offsets.map((offset) => {
    const bytes = archive.subarray(offset, offset + frameBytes);
    return { offset, sizeBytes: bytes.byteLength, plainBytes: bytes.byteLength, sha256: sha256(bytes) };
  });
  const shard = { content: "files" as const, firstFrame: 0, frameCount: frames.length, plainBytes: sizeBytes };
  const files = [{ path: "image.tar.zst", sizeBytes, sha256: sha256(archive) }];
  return { manifest: { ...manifest, files, frames, shards: [shard] }, shards: [], archive };
}
