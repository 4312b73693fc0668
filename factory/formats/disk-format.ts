import type { Advance } from "../../common/event.ts";
import type { ImageFormat } from "../image-format.ts";

/** The default limit for what comes out of a compressed file. */
export const maximumUnpackedBytes = 64 * 2 ** 30;

/** What can be said of an image without unpacking it. */
export interface ImageDescription {
  format: ImageFormat;
  /** Of the file itself. */
  fileSizeBytes: number;
  /** Of the disk in it. Absent where only unpacking would tell. */
  virtualSizeBytes?: number;
  /** What is particular to the format, in its own words: `version`, `clusterBytes`, `subformat`, ... */
  details: Readonly<Record<string, string | number | boolean>>;
}

export interface ConvertOptions {
  signal?: AbortSignal;
  /** Bytes of what moves, and of how many: of the virtual disk, or of a compressed file. */
  advance?: Advance;
  /** The largest disk to make. Default: 64 GiB for compressed files, 16 TiB for formats that know of holes. */
  maximumBytes?: number;
}

/** One way to hold a disk in a file. */
export interface DiskFormat {
  /** Reads headers and tables only. */
  describe(path: string): Promise<ImageDescription>;
  /** Makes a sparse raw file. It appears under its name when all is in it, and not before. */
  convert(path: string, destination: string, options: ConvertOptions): Promise<void>;
}
