import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "./failure.ts";

/** Where every command is looked for, whatever the caller's own PATH. */
export const programFolders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** The Debian package that brings a program. */
const packages: Readonly<Record<string, string>> = {
  blkdiscard: "util-linux",
  blkid: "util-linux",
  blockdev: "util-linux",
  btrfs: "btrfs-progs",
  chroot: "coreutils",
  cp: "coreutils",
  cryptsetup: "cryptsetup-bin",
  dd: "coreutils",
  debugfs: "e2fsprogs",
  dmsetup: "dmsetup",
  e2fsck: "e2fsprogs",
  efibootmgr: "efibootmgr",
  flock: "util-linux",
  gpgv: "gpgv",
  hdparm: "hdparm",
  lsblk: "util-linux",
  lvcreate: "lvm2",
  mcopy: "mtools",
  mdadm: "mdadm",
  "mkfs.btrfs": "btrfs-progs",
  "mkfs.ext4": "e2fsprogs",
  "mkfs.vfat": "dosfstools",
  "mkfs.xfs": "xfsprogs",
  mkswap: "util-linux",
  mmd: "mtools",
  mount: "mount",
  nsenter: "util-linux",
  nvme: "nvme-cli",
  packer: "packer",
  perl: "perl-base",
  pvcreate: "lvm2",
  resize2fs: "e2fsprogs",
  setpriv: "util-linux",
  setsid: "util-linux",
  sgdisk: "gdisk",
  swapoff: "mount",
  tar: "tar",
  truncate: "coreutils",
  udevadm: "udev",
  umount: "mount",
  unshare: "util-linux",
  vgchange: "lvm2",
  vgcreate: "lvm2",
  wipefs: "util-linux",
  xorriso: "xorriso",
  xz: "xz-utils",
};

/**
 * Looks for programs before anything that needs them is begun.
 * @param doing what they are for: "building an image"
 * @throws Failure `programs-missing` (configuration), which names them all and their Debian packages
 */
export async function requirePrograms(programs: Iterable<string>, doing: string): Promise<void> {
  const names = [...new Set(programs)].sort();
  const installed = await Promise.all(names.map(isInstalled));
  const missing = names.filter((_, index) => !installed[index]);
  if (missing.length > 0) throw missingPrograms(missing, doing);
}

/** @returns Failure `programs-missing` (configuration) */
export function missingPrograms(programs: readonly string[], doing: string): Failure {
  return new Failure({
    code: "programs-missing",
    kind: "configuration",
    message: `${doing}: not installed: ${programs.join(", ")}`,
    hint: `apt-get install ${[...new Set(programs.map((program) => packages[program] ?? program))].join(" ")}`,
    data: { programs },
  });
}

/** Whether a program is in one of the folders where every command is looked for. */
export function isInstalled(program: string): Promise<boolean> {
  const attempts = programFolders.map((folder) => access(join(folder, program), constants.X_OK));
  return Promise.any(attempts).then(
    () => true,
    () => false,
  );
}
