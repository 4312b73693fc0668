import { constants, deflateRawSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decompressCluster } from "../../../factory/qcow2-parser/decompress.ts";

const compress = { zlib: (bytes: Buffer) => deflateRawSync(bytes), zstd: (bytes: Buffer) => zstdCompressSync(bytes) };
const clusterBytes = 4096;
const cluster = Buffer.from("metal".repeat(1000)).subarray(0, clusterBytes);
const corrupt = expect.objectContaining({ name: "Qcow2Error", code: "cluster-corrupt" });

describe.for(["zlib", "zstd"] as const)("a %s cluster", (compression) => {
  const data = compress[compression](cluster);

  test.for([
    ["nothing", Buffer.alloc(0)],
    ["zeros", Buffer.alloc(300)],
    ["the next cluster", data],
    ["the beginning of the next cluster", data.subarray(0, 9)],
  ] as const)("followed by %s", async ([, rest]) => {
    const plain = await decompressCluster(compression, Buffer.concat([data, rest]), clusterBytes);
    expect(plain.equals(cluster)).toBe(true);
  });

  test.for([
    ["empty", Buffer.alloc(0)],
    ["zeros", Buffer.alloc(512)],
    ["cut short", data.subarray(0, data.length - 2)],
    ["of less than a cluster", compress[compression](cluster.subarray(1))],
    ["of more than a cluster", compress[compression](Buffer.concat([cluster, Buffer.alloc(1)]))],
    ["that would become 16 MiB", compress[compression](Buffer.alloc(2 ** 24))],
  ] as const)("%s is refused", async ([, bytes]) => {
    await expect(decompressCluster(compression, bytes, clusterBytes)).rejects.toThrow(corrupt);
  });
});

test("a zstd frame of any shape, whatever follows", async () => {
  const bit = fc.integer({ min: 0, max: 1 });
  const pattern = fc.uint8Array({ minLength: 1, maxLength: 200 });
  const rest = fc.uint8Array({ maxLength: 40 });
  const clusterBits = fc.integer({ min: 9, max: 21 });
  await fc.assert(
    fc.asyncProperty(
      pattern,
      bit,
      bit,
      clusterBits,
      rest,
      async (pattern, checksum, contentSize, clusterBits, rest) => {
        const content = Buffer.alloc(2 ** clusterBits, pattern);
        const params = {
          [constants.ZSTD_c_checksumFlag]: checksum,
          [constants.ZSTD_c_contentSizeFlag]: contentSize,
        };
        const frame = zstdCompressSync(content, { params });
        const sectors = Buffer.concat([frame, rest]);
        expect((await decompressCluster("zstd", sectors, content.length)).equals(content)).toBe(true);
        await expect(decompressCluster("zstd", frame.subarray(0, -1), content.length)).rejects.toThrow(corrupt);
      },
    ),
    { numRuns: 60 },
  );
});
