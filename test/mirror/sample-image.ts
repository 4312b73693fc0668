import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import type { Manifest } from "../../mirror/manifest.ts";

export interface SampleImage {
  manifest: Manifest;
  /** Plain bytes of every shard. */
  shards: Buffer[];
  archive: Buffer;
}

export interface SampleOptions {
  version?: string;
  /** Plain bytes of every frame, by shard. */
  frameSizes?: number[][];
}

export const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Bytes that differ from version to version and compress to about half: hexadecimal digits of a hash chain. */
export function sampleBytes(seed: string, sizeBytes: number): Buffer {
  const lines: string[] = [];
  let line = seed;
  for (let length = 0; length < sizeBytes; length += 64) {
    line = sha256(Buffer.from(line));
    lines.push(line);
  }
  return Buffer.from(lines.join("").slice(0, sizeBytes));
}

/**
 * An image to the manifest's contract, small, and without a file system in it: the mirror looks at frames, not into
 * them.
 */
export function makeSampleImage({
  version = "20261123.0",
  frameSizes = defaultFrameSizes,
}: SampleOptions = {}): SampleImage {
  const frames: Manifest["frames"] = [];
  const packed: Buffer[] = [];
  const shards: Buffer[] = [];
  let offset = 0;
  for (const [shardIndex, sizes] of frameSizes.entries()) {
    const plain = sizes.map((size, index) => sampleBytes(`${version} ${shardIndex} ${index}`, size));
    for (const bytes of plain) {
      const frame = zstdCompressSync(bytes);
      frames.push({ offset, sizeBytes: frame.length, plainBytes: bytes.length, sha256: sha256(frame) });
      packed.push(frame);
      offset += frame.length;
    }
    shards.push(Buffer.concat(plain));
  }
  const archive = Buffer.concat(packed);
  let firstFrame = 0;
  const described: Manifest["shards"] = shards.map((plain, index) => {
    const frameCount = frameSizes[index]?.length ?? 0;
    const shard = { content: "files" as const, firstFrame, frameCount, plainBytes: plain.length };
    firstFrame += frameCount;
    return shard;
  });
  const manifest: Manifest = {
    formatVersion: 1,
    name: "debian-12",
    arch: "amd64",
    version,
    osRelease: { ID: "debian", VERSION_ID: "12" },
    family: "debian",
    kernels: ["6.1.0-40-amd64"],
    firmware: { bios: true, uefi: true, secureBoot: true },
    preinstalled: ["mdadm", "lvm2"],
    initramfs: { generator: "initramfs-tools", modules: ["raid1", "nvme"], programs: ["mdadm"] },
    unpackedBytes: shards.reduce((total, shard) => total + shard.length, 0),
    minimumDiskBytes: 4 * 2 ** 30,
    license: "none",
    source: { url: "https://vendor.example.net/debian-12.qcow2", checksum: "sha512:00", verifiedBy: "signature" },
    build: {
      date: "2026-11-23T00:00:00Z",
      templateSha256: sha256(Buffer.from("template")),
      tools: { packer: "1.6.6" },
    },
    files: [{ path: "image.tar.zst", sizeBytes: archive.length, sha256: sha256(archive) }],
    frames,
    shards: described,
  };
  return { manifest, shards, archive };
}

const defaultFrameSizes = [[700], [150_000, 150_000, 90_001], [150_000, 20], [700]];

/** Writes an image as the factory leaves it. */
export async function writeSampleImage(directory: string, { manifest, archive }: SampleImage): Promise<void> {
  const manifestBytes = Buffer.from(JSON.stringify(manifest, null, 2));
  const sums = `${sha256(archive)}  image.tar.zst\n${sha256(manifestBytes)}  manifest.json\n`;
  await writeFile(join(directory, "image.tar.zst"), archive);
  await writeFile(join(directory, "manifest.json"), manifestBytes);
  await writeFile(join(directory, "SHA256SUMS"), sums);
}

/** A directory that ends with its block. */
export async function temporaryDirectory(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "mirror-test-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
