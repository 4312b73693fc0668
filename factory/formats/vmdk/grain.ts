import { promisify } from "node:util";
import { inflate } from "node:zlib";
import { type ByteSource, readExactly } from "../source.ts";
import { sectorBytes } from "./header.ts";
import { invalid } from "./invalid.ts";

// Runs in libuv's thread pool, so several grains are decompressed at once.
const inflateGrain = promisify(inflate);

/** "Grain marker": the grain's first sector on the disk (8 bytes), the size of the data that follows (4 bytes). */
export const markerBytes = 12;

/** A grain of a stream, as it lies in the file. */
export interface PackedGrain {
  /** Counted from 0. */
  grain: number;
  data: Buffer;
}

/** What deflate makes at most of so many bytes (zlib, compressBound), with room to spare. */
export function maximumPackedBytes(grainBytes: number): number {
  return markerBytes + grainBytes + (grainBytes >> 8) + 512;
}

/**
 * Reads a compressed grain with its marker.
 * @param near bytes of the file that were read already, and where they begin
 * @throws Failure `vmdk-grain-corrupt`, `image-truncated` (integrity)
 */
export async function readPackedGrain(
  source: ByteSource,
  { grain, offset, grainBytes }: { grain: number; offset: number; grainBytes: number },
  near: { start: number; bytes: Buffer },
): Promise<PackedGrain> {
  const what = `grain ${grain}`;
  const within = async (position: number, length: number) => {
    const start = position - near.start;
    if (start >= 0 && start + length <= near.bytes.length) return near.bytes.subarray(start, start + length);
    return readExactly(source, position, length, what);
  };
  const marker = await within(offset, markerBytes);
  const firstSector = marker.readBigUInt64LE(0);
  const packedBytes = marker.readUInt32LE(8);
  if (firstSector !== BigInt(grain) * BigInt(grainBytes / sectorBytes)) {
    throw invalid(source, "grain-corrupt", `the marker of ${what} is that of sector ${firstSector}`);
  }
  if (packedBytes === 0 || markerBytes + packedBytes > maximumPackedBytes(grainBytes)) {
    throw invalid(source, "grain-corrupt", `${what} is said to have ${packedBytes} bytes`);
  }
  return { grain, data: await within(offset + markerBytes, packedBytes) };
}

/**
 * Decompresses a grain: one zlib stream (RFC 1950), as all who write this format do it.
 * @param expectedBytes what of the grain lies on the disk; the last grain may be cut there, or be whole
 * @throws Failure `vmdk-grain-corrupt` (integrity)
 */
export async function unpackGrain(
  source: ByteSource,
  { grain, data }: PackedGrain,
  { expectedBytes, grainBytes }: { expectedBytes: number; grainBytes: number },
): Promise<Buffer> {
  // A byte of room to spare lets the decoder see the end of its stream.
  const limits = { maxOutputLength: grainBytes, chunkSize: grainBytes + 1 };
  const bytes = await inflateGrain(data, limits).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw invalid(source, "grain-corrupt", `decompressing grain ${grain}: ${reason}`, cause);
  });
  if (bytes.length >= expectedBytes) return bytes;
  throw invalid(source, "grain-corrupt", `grain ${grain} holds ${bytes.length} bytes, not ${expectedBytes}`);
}
