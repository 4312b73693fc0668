import type { DiskImageFormat } from "../image-format.ts";
import type { DiskFormat } from "./disk-format.ts";
import { ova } from "./ova.ts";
import { qcow2 } from "./qcow2.ts";
import { compressedRaw, raw } from "./raw.ts";
import { vmdk } from "./vmdk.ts";

/** Who reads which format. */
export const diskFormats: Readonly<Record<DiskImageFormat, DiskFormat>> = {
  qcow2,
  raw,
  "raw.xz": compressedRaw("xz"),
  "raw.gz": compressedRaw("gz"),
  "raw.zst": compressedRaw("zst"),
  vmdk,
  ova,
};
