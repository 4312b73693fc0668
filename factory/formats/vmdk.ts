import type { DiskFormat, ImageDescription } from "./disk-format.ts";
import { type ByteSource, withSource } from "./source.ts";
import { appearWhole } from "./sparse-file.ts";
import { convertVmdk } from "./vmdk/convert.ts";
import { VmdkImage } from "./vmdk/image.ts";

/** `monolithicSparse` and `streamOptimized`. @throws Failure `vmdk-` and a VmdkProblem (integrity) */
export const vmdk: DiskFormat = {
  describe: (path) => withSource(path, describeVmdk),

  convert: (path, destination, { maximumBytes, ...options }) =>
    withSource(path, async (source) => {
      const image = await VmdkImage.open(source, maximumBytes);
      await appearWhole(destination, (partial) => convertVmdk(image, partial, options));
    }),
};

async function describeVmdk(source: ByteSource): Promise<ImageDescription> {
  const { virtualSizeBytes, ...details } = (await VmdkImage.open(source)).info;
  return { format: "vmdk", fileSizeBytes: source.sizeBytes, virtualSizeBytes, details };
}
