/** The two that cloud-init looks for (cloudinit/sources/DataSourceConfigDrive.py, `FS_TYPES`). */
export type ConfigDriveFormat = "iso9660" | "fat";

/** What cloud-init looks for (DataSourceConfigDrive.py, `LABEL_TYPES`). */
export const volumeLabel = "config-2";

/** The same files give the same bytes: every date in the file system is this one, the first that FAT can hold. */
export const anyDate = { seconds: 315_532_800, text: "1980010100000000" };

/** ISO 9660 has sectors of 2,048 bytes, and Linux reads it from no disk whose own are larger. */
export function configDriveFormat(logicalSectorBytes: number): ConfigDriveFormat {
  return logicalSectorBytes <= 2048 ? "iso9660" : "fat";
}

/**
 * Those of the files that are written. ISO 9660 takes all: files that are the same are stored once. FAT has no links,
 * and would hold the user data once for each version of the tree: `latest` is the one that every reader knows.
 */
export function filesOn(format: ConfigDriveFormat, files: ReadonlyMap<string, string>): Map<string, string> {
  return new Map([...files].filter(([path]) => format === "iso9660" || path.split("/")[1] === "latest"));
}

/** The programs that make it. */
export const configDrivePrograms: Readonly<Record<ConfigDriveFormat, readonly string[]>> = {
  iso9660: ["xorriso"],
  fat: ["mkfs.vfat", "mmd", "mcopy"],
};
