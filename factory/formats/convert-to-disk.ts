import { Failure } from "../../common/failure.ts";
import { type ImageFormat, isArchive } from "../image-format.ts";
import { checkFormat } from "./check-format.ts";
import type { ConvertOptions } from "./disk-format.ts";
import { diskFormats } from "./disk-formats.ts";

/**
 * Makes a sparse raw disk of a disk image in its declared format. It appears, or replaces what was there, when all is in
 * it, and not before.
 * @throws Failure `format-mismatch`, `format-ambiguous`, `image-truncated`, `image-too-large`, `stream-*`, `qcow2-*`,
 *   `vmdk-*`, `ova-*` (integrity), `image-unreadable`, `format-no-disk` (configuration), `write-failed` (failed)
 */
export async function convertToDisk(
  path: string,
  format: ImageFormat,
  destination: string,
  options: ConvertOptions = {},
): Promise<void> {
  if (isArchive(format)) {
    throw new Failure({
      code: "format-no-disk",
      kind: "configuration",
      message: `converting ${path}: ${format} is an archive of a root file system, not a disk`,
      hint: "`metalcast build` takes such an archive as it is",
    });
  }
  await checkFormat(path, format);
  await diskFormats[format].convert(path, destination, options);
}
