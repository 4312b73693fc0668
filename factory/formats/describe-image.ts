import { type ImageFormat, isArchive } from "../image-format.ts";
import { checkFormat } from "./check-format.ts";
import type { ImageDescription } from "./disk-format.ts";
import { diskFormats } from "./disk-formats.ts";
import { withSource } from "./source.ts";

/**
 * What an image is, as far as it can be told without unpacking it.
 * @throws Failure, as convertToDisk does
 */
export async function describeImage(path: string, format: ImageFormat): Promise<ImageDescription> {
  await checkFormat(path, format);
  if (!isArchive(format)) return diskFormats[format].describe(path);
  return withSource(path, async ({ sizeBytes }) => ({ format, fileSizeBytes: sizeBytes, details: {} }));
}
