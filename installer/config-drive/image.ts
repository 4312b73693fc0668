import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeFat } from "./fat.ts";
import { type ConfigDriveFormat, filesOn } from "./format.ts";
import { makeIso } from "./iso.ts";

export interface ConfigDriveImageOptions {
  format: ConfigDriveFormat;
  /** The size of the partition that the image is for. */
  sizeBytes: number;
  signal?: AbortSignal;
}

const makers = { iso9660: makeIso, fat: makeFat } as const satisfies Record<ConfigDriveFormat, unknown>;

/**
 * Makes the config drive, without mounting anything. The same files give the same bytes.
 * @param files content by path, as `configDriveFiles` gives them
 * @returns exactly `sizeBytes` bytes, filled up with zeros so that nothing older shows through
 * @throws Failure `config-drive-too-small` (configuration)
 */
export async function makeConfigDriveImage(
  files: ReadonlyMap<string, string>,
  { format, ...options }: ConfigDriveImageOptions,
): Promise<Buffer> {
  // The user data may hold secrets: mkdtemp's directory is for its owner alone.
  const work = await mkdtemp(join(tmpdir(), "metalcast-config-drive-"));
  try {
    return await makers[format](filesOn(format, files), work, options);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
