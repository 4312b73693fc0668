import type { CatalogImage } from "./catalog.ts";

/** What an image is verified against, by the manifest's names, and by words for people. */
export const verificationWords = {
  signature: "signed checksum",
  "checksum-file": "vendor's checksum",
  "pinned-checksum": "pinned checksum",
  supplied: "your --checksum",
} as const;

export function verificationOf({ source }: Pick<CatalogImage, "source">): keyof typeof verificationWords {
  if (source.kind === "supplied") return "supplied";
  if (source.kind === "pinned") return "pinned-checksum";
  return source.key === undefined ? "checksum-file" : "signature";
}
