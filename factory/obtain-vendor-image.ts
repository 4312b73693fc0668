import { Failure } from "../common/failure.ts";
import type { CatalogImage } from "./catalog.ts";
import { fetchVendorImage, type VendorImage, verifyLocalImage } from "./fetch.ts";

export interface VendorImageChoice {
  image: CatalogImage;
  /** A file on this machine, in place of the download. */
  source?: string;
  checksum?: string;
  cache?: string;
}

/**
 * The vendor's file, verified: downloaded as the catalog says, or a file that is here.
 * @throws Failure `checksum-required` (configuration) where a file is given without its checksum; those of
 *   `fetchVendorImage` and `verifyLocalImage`
 */
export async function obtainVendorImage(
  { image, source, checksum, cache = "/var/cache/metalcast/vendor" }: VendorImageChoice,
  options: NonNullable<Parameters<typeof verifyLocalImage>[2]>,
): Promise<VendorImage> {
  if (source === undefined) return fetchVendorImage(image, { cache, ...options });
  if (checksum !== undefined) return verifyLocalImage(source, checksum, options);
  throw new Failure({
    code: "checksum-required",
    kind: "configuration",
    message: `reading the vendor image ${source}: its checksum was not given`,
    hint: "add --checksum sha512:DIGEST, as the vendor publishes it",
  });
}
