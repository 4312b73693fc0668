import { Failure } from "../common/failure.ts";
import type { CatalogImage } from "./catalog.ts";
import { fetchVendorImage, type VendorImage, verifyLocalImage } from "./fetch.ts";
import type { ImageFormat } from "./image-format.ts";

export interface VendorImageChoice {
  image: CatalogImage;
  /** A file on this machine, in place of the download. */
  source?: string;
  checksum?: string;
  format?: ImageFormat;
  cache?: string;
}

/**
 * The vendor's file, verified: downloaded as the catalog says, or a file that is here.
 * @throws Failure `checksum-required` (configuration) where a file is given without its checksum, `source-missing`
 *   (configuration) where a checksum or a format is given without the file; those of `fetchVendorImage` and
 *   `verifyLocalImage`
 */
export async function obtainVendorImage(
  { image, source, checksum, format, cache = "/var/cache/metalcast/vendor" }: VendorImageChoice,
  options: NonNullable<Parameters<typeof verifyLocalImage>[2]>,
): Promise<VendorImage> {
  if (source === undefined) {
    if (checksum !== undefined || format !== undefined) throw ofNoFile(checksum === undefined ? "format" : "checksum");
    return fetchVendorImage(image, { cache, ...options });
  }
  if (checksum !== undefined) return verifyLocalImage(source, checksum, options);
  throw new Failure({
    code: "checksum-required",
    kind: "configuration",
    message: `reading the vendor image ${source}: its checksum was not given`,
    hint: "add --checksum sha512:DIGEST, as the vendor publishes it",
  });
}

/** What would be downloaded has the checksum and the format that the catalog says: these would count for nothing. */
function ofNoFile(given: "checksum" | "format"): Failure {
  return new Failure({
    code: "source-missing",
    kind: "configuration",
    message: `reading the vendor image: a ${given} was given, but not the file that it is of`,
    hint: "name the file with --source, or leave both to the catalog",
  });
}
