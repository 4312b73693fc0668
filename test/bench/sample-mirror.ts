import { createCipheriv, createHash } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Manifest } from "../../mirror/manifest.ts";
import { publish } from "../../mirror/publish.ts";
import type { Store } from "../../mirror/store.ts";
import { makeSampleImage, type SampleImage, sha256, writeSampleImage } from "../mirror/sample-image.ts";
import { newMirror } from "../mirror/trust/new-mirror.ts";

const names = ["debian-12", "rocky-9", "ubuntu-24.04"];
const versions = ["20261101.0", "20261108.0", "20261115.0", "20261122.0"];
const frameBytes = 2 ** 20;
const framesPerImage = 8;

/** Of a version, so many frames are those of the one before, as far as updates leave them alone. */
const keptFrames = 6;

export interface SampleMirror {
  /** Publishes one more version of one image. */
  publishNext(): Promise<void>;
}

/**
 * Publishes some images in several versions each, 100 MB in all, to a new signed mirror.
 * @param directory for keys, and what is published
 */
export async function publishSampleMirror(store: Store, directory: string): Promise<SampleMirror> {
  const { mirror } = await newMirror(store, { directory, images: names });
  const add = async (name: string, version: string) => {
    const image = await mkdtemp(join(directory, "image-"));
    await writeSampleImage(image, makeImage(name, version));
    await publish(mirror, image, { emit: () => undefined });
    await rm(image, { recursive: true });
  };
  await mkdir(directory, { recursive: true });
  for (const name of names) for (const version of versions) await add(name, version);
  return { publishNext: () => add(names[0] ?? "", "20261129.0") };
}

/** An image to the contract, as far as a mirror looks at it: its frames are as good as compressed. */
function makeImage(name: string, version: string): SampleImage {
  const packed = Array.from({ length: framesPerImage }, (_, index) =>
    noise(index < keptFrames ? `${name} ${index}` : `${name} ${index} ${version}`),
  );
  const frames: Manifest["frames"] = packed.map((bytes, index) => ({
    offset: index * frameBytes,
    sizeBytes: frameBytes,
    plainBytes: frameBytes,
    sha256: sha256(bytes),
  }));
  const archive = Buffer.concat(packed);
  const plainBytes = archive.length;
  const manifest: Manifest = {
    ...makeSampleImage({ version }).manifest,
    ...{ name, version, frames, unpackedBytes: plainBytes },
    files: [{ path: "image.tar.zst", sizeBytes: archive.length, sha256: sha256(archive) }],
    shards: [{ content: "files", firstFrame: 0, frameCount: frames.length, plainBytes }],
  };
  return { manifest, shards: [archive], archive };
}

/** Bytes that a hash decides. */
function noise(seed: string): Buffer {
  const key = createHash("sha256").update(seed).digest();
  return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(frameBytes));
}
