import { requirePrograms } from "../common/programs.ts";
import { checkRoot } from "../common/root.ts";

/** Every program that a build runs. */
const programs = [
  "dd",
  "debugfs",
  "e2fsck",
  "mount",
  "nsenter",
  "packer",
  "resize2fs",
  "setpriv",
  "tar",
  "truncate",
  "umount",
  "unshare",
];

/**
 * Looks for all that a build needs of this machine, before anything is touched.
 * @throws Failure `not-root` and `programs-missing` (configuration)
 */
export async function assertRequirements(): Promise<void> {
  checkRoot("building an image");
  await requirePrograms(programs, "building an image");
}
