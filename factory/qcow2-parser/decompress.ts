import { promisify } from "node:util";
import { constants, inflateRaw, inflateRawSync, zstdDecompress, zstdDecompressSync } from "node:zlib";
import { Qcow2Error } from "./error.ts";
import type { Compression } from "./header.ts";
import { reasonOf } from "./source.ts";

// Both run in libuv's thread pool, so several clusters are decompressed at once.
const inflate = promisify(inflateRaw);
const unzstd = promisify(zstdDecompress);

/** 8 MiB, which RFC 8878 (3.1.1.1.2) recommends every decoder to support. A cluster has at most 2. */
const windowLogMax = 23;

/**
 * Decompresses one cluster. Bytes after its data are ignored: "the compressed data does not necessarily occupy all of
 * the bytes in the final sector".
 * @throws Qcow2Error `cluster-corrupt` unless exactly one cluster comes out
 */
export async function decompressCluster(
  compression: Compression,
  bytes: Buffer,
  clusterBytes: number,
): Promise<Buffer> {
  const decompress = compression === "zlib" ? inflate : unzstd;
  const cluster = await decompress(bytes, limitsOf(clusterBytes)).catch((cause: unknown) => {
    throw corrupt(compression, cause);
  });
  return whole(compression, cluster, clusterBytes);
}

/** The same in this thread, which is quicker where the thread has nothing else to do. */
export function decompressClusterSync(compression: Compression, bytes: Buffer, clusterBytes: number): Buffer {
  const decompress = compression === "zlib" ? inflateRawSync : zstdDecompressSync;
  let cluster: Buffer;
  try {
    cluster = decompress(bytes, limitsOf(clusterBytes));
  } catch (cause) {
    throw corrupt(compression, cause);
  }
  return whole(compression, cluster, clusterBytes);
}

/**
 * A byte of room to spare lets the decoder stop at the end of its stream or frame, and Node drops what follows. Were the
 * room to end with the cluster, Node would call the zstd decoder again, on the beginning of the next cluster in the same
 * sector.
 */
function limitsOf(clusterBytes: number) {
  return {
    maxOutputLength: clusterBytes,
    chunkSize: clusterBytes + 1,
    params: { [constants.ZSTD_d_windowLogMax]: windowLogMax },
  };
}

function whole(compression: Compression, cluster: Buffer, clusterBytes: number): Buffer {
  if (cluster.length === clusterBytes) return cluster;
  const message = `a ${compression} cluster holds ${cluster.length} bytes, not ${clusterBytes}`;
  throw new Qcow2Error("cluster-corrupt", message);
}

function corrupt(compression: Compression, cause: unknown): Qcow2Error {
  return new Qcow2Error("cluster-corrupt", `decompressing a ${compression} cluster: ${reasonOf(cause)}`, { cause });
}
