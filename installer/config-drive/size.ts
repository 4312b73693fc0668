import { Failure } from "../../common/failure.ts";
import { formatSize } from "../../common/units.ts";
import { type ConfigDriveFormat, configDriveFormat, filesOn } from "./format.ts";

const mebibyte = 2 ** 20;

/** Nova's limit for user data is 64 KiB; beyond this it should come over the network. */
const largestBytes = 64 * mebibyte;

/**
 * What a file system needs beside the files' content, rounded up to blocks. ISO 9660 measured 102 KiB (system area, volume
 * descriptors, path tables, two trees of directories), FAT 44 KiB in 1 MiB and 100 KiB in 64 MiB (its tables grow).
 */
const overheadBytes = 128 * 1024;

const blockBytes: Readonly<Record<ConfigDriveFormat, number>> = { iso9660: 2048, fat: 4096 };

function neededBytes(files: ReadonlyMap<string, string>, format: ConfigDriveFormat): number {
  const block = blockBytes[format];
  const written = [...filesOn(format, files).values()];
  const stored = format === "iso9660" ? [...new Set(written)] : written;
  return stored
    .map((content) => Math.ceil(Buffer.byteLength(content) / block) * block)
    .reduce((sum, bytes) => sum + bytes, overheadBytes);
}

/**
 * How large the config drive's partition must be for these files, before anything is written to a disk.
 * @param files content by path, as `configDriveFiles` gives them
 * @param logicalSectorBytes the disk's; the largest, where disks differ
 * @returns bytes, a whole number of MiB: 1 to 64
 * @throws Failure `config-drive-too-small` (configuration)
 */
export function sizeConfigDrive(files: ReadonlyMap<string, string>, logicalSectorBytes: number): number {
  const needed = neededBytes(files, configDriveFormat(logicalSectorBytes));
  requireRoom(needed, largestBytes);
  return Math.ceil(needed / mebibyte) * mebibyte;
}

/** @throws Failure `config-drive-too-small` (configuration) */
export function requireRoom(needed: number, sizeBytes: number): void {
  if (needed <= sizeBytes) return;
  throw new Failure({
    code: "config-drive-too-small",
    kind: "configuration",
    message: `making the config drive: it needs ${formatSize(needed)}, and ${formatSize(sizeBytes)} is what it can have`,
    hint: "shorten instance.userData: let it fetch its large parts with #include and a URL",
    data: { neededBytes: needed, sizeBytes },
  });
}
