import { basename } from "node:path";
import { z } from "zod";

/** What a vendor image may be. It is declared by who names the file, and never guessed from the bytes. */
export const imageFormatSchema = z.enum([
  "qcow2",
  "raw",
  "raw.xz",
  "raw.gz",
  "raw.zst",
  "vmdk",
  "ova",
  "tar",
  "tar.xz",
  "tar.gz",
  "tar.zst",
]);

export type ImageFormat = z.infer<typeof imageFormatSchema>;
export type ArchiveFormat = Extract<ImageFormat, `tar${string}`>;
export type DiskImageFormat = Exclude<ImageFormat, ArchiveFormat>;

/** Whether it is a root file system archive; all others are disks. */
export function isArchive(format: ImageFormat): format is ArchiveFormat {
  return format === "tar" || format.startsWith("tar.");
}

const formatOfEnding = new Map<string | undefined, ImageFormat>([
  ...imageFormatSchema.options.map((format): [string, ImageFormat] => [format, format]),
  ["img.xz", "raw.xz"],
  ["img.gz", "raw.gz"],
  ["img.zst", "raw.zst"],
  ["txz", "tar.xz"],
  ["tgz", "tar.gz"],
]);

/**
 * The format that a file's name declares, where a person gives the file and nothing else.
 * @returns undefined where the name declares none. `.img` is one: some vendors' are qcow2, others' raw.
 */
export function formatOfName(fileName: string): ImageFormat | undefined {
  const words = basename(fileName).toLowerCase().split(".").slice(1);
  return formatOfEnding.get(words.slice(-2).join(".")) ?? formatOfEnding.get(words.at(-1));
}
