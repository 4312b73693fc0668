import { Failure } from "../../common/failure.ts";
import { run } from "../../common/run.ts";
import { checkFormat } from "./check-format.ts";
import { decompress } from "./decompress.ts";
import { type ConvertOptions, type DiskFormat, maximumUnpackedBytes } from "./disk-format.ts";
import { type ByteSource, withSource } from "./source.ts";
import { appearWhole, SparseFile } from "./sparse-file.ts";

const blockBytes = 2 ** 20;

/**
 * A raw disk. It is always copied: what follows writes to its disk, and the vendor's file stays as it was verified.
 * cp(1) shares the blocks where the file system can, and skips holes without reading them.
 */
export const raw: DiskFormat = {
  describe: (path) =>
    withSource(path, async ({ sizeBytes }) => ({
      format: "raw",
      fileSizeBytes: sizeBytes,
      virtualSizeBytes: sizeBytes,
      details: {},
    })),

  async convert(path, destination, { signal, maximumBytes, advance }) {
    const sizeBytes = await withSource(path, async (source) => source.sizeBytes);
    if (maximumBytes !== undefined && sizeBytes > maximumBytes) throw tooLarge(path, sizeBytes, maximumBytes);
    await appearWhole(destination, async (partial) => {
      await run("cp", ["--sparse=always", "--reflink=auto", "--", path, partial], {
        doing: `copying ${path}`,
        ...(signal && { signal }),
      });
      await checkFormat(partial, "raw");
    });
    advance?.(sizeBytes, sizeBytes);
  },
};

/** A raw disk in a compressed file. That what comes out is a raw disk is checked before it gets its name. */
export function compressedRaw(compression: "xz" | "gz" | "zst"): DiskFormat {
  return {
    describe: (path) =>
      withSource(path, async ({ sizeBytes }) => ({
        format: `raw.${compression}`,
        fileSizeBytes: sizeBytes,
        details: { compression },
      })),

    convert: (path, destination, options) =>
      withSource(path, (source) =>
        appearWhole(destination, async (partial) => {
          await unpack(source, compression, partial, options);
          await checkFormat(partial, "raw");
        }),
      ),
  };
}

async function unpack(
  source: ByteSource,
  compression: "xz" | "gz" | "zst",
  partial: string,
  { signal, advance, maximumBytes = maximumUnpackedBytes }: ConvertOptions,
): Promise<void> {
  await using file = await SparseFile.create(partial);
  const options = { maximumBytes, ...(signal && { signal }), ...(advance && { advance }) };
  let position = 0;
  for await (const block of inBlocks(decompress(source, compression, options))) {
    await file.write(block, position);
    position += block.length;
  }
  await file.setSize(position);
}

/** Cuts at every MiB, so that holes do not depend on where chunks end. The buffer is used again. */
async function* inBlocks(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, undefined> {
  const block = Buffer.allocUnsafe(blockBytes);
  let filled = 0;
  for await (const chunk of chunks) {
    for (let taken = 0; taken < chunk.length; ) {
      const part = chunk.subarray(taken, taken + blockBytes - filled);
      block.set(part, filled);
      filled += part.length;
      taken += part.length;
      if (filled < blockBytes) break;
      yield block;
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}

function tooLarge(path: string, sizeBytes: number, maximumBytes: number): Failure {
  return new Failure({
    code: "image-too-large",
    kind: "integrity",
    message: `copying ${path}: it has ${sizeBytes} bytes, more than the limit of ${maximumBytes}`,
    hint: "an image of this size is hardly meant to be installed: look at where it came from",
    data: { sizeBytes, maximumBytes },
  });
}
