import type { Disk } from "../hardware.ts";
import type { TargetFile } from "../step.ts";
import { hideData } from "./documents.ts";
import { filesOn } from "./format.ts";

/** cloud-init looks here before it looks at any device (cloudinit/sources/DataSourceConfigDrive.py, `_get_data`). */
const seedFolder = "/var/lib/cloud/seed/config_drive";

export interface SeededConfigDrive {
  files: TargetFile[];
  /** For people: what was found, and what was done about it. */
  warnings: string[];
}

/**
 * Of several file systems called `config-2`, cloud-init takes the last by device name. Where a disk that stays as it is
 * has one, the target gets the documents in a folder too.
 * @param files of the config drive, by path
 * @param untouched the machine's disks that are not the job's
 */
export function seedConfigDrive(files: ReadonlyMap<string, string>, untouched: readonly Disk[]): SeededConfigDrive {
  const stale = untouched.flatMap(({ path, configDriveLabels }) =>
    configDriveLabels.map((partition) => `${partition} of ${path}`),
  );
  if (stale.length === 0) return { files: [], warnings: [] };
  const seeds = hideData(filesOn("fat", files)).map(({ path, content }) => ({
    path: `${seedFolder}/${path}`,
    mode: 0o600,
    content,
  }));
  const words = `${stale.join(", ")} has the label config-2, and stays: the target gets its configuration in ${seedFolder} too, which goes first`;
  return { files: seeds, warnings: [words] };
}
