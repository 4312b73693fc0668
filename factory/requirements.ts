import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "../common/failure.ts";

/** Every program that a build runs, and the Debian package that brings it. */
const programs = {
  dd: "coreutils",
  debugfs: "e2fsprogs",
  e2fsck: "e2fsprogs",
  mount: "mount",
  nsenter: "util-linux",
  packer: "packer",
  resize2fs: "e2fsprogs",
  setpriv: "util-linux",
  tar: "tar",
  truncate: "coreutils",
  umount: "mount",
  unshare: "util-linux",
};

const folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/**
 * Looks for all that a build needs of this machine, before anything is touched.
 * @throws Failure `not-root` and `programs-missing` (configuration)
 */
export async function assertRequirements(): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new Failure({
      code: "not-root",
      kind: "configuration",
      message: "building an image: mounting its root file system needs root",
      hint: "run it with sudo",
    });
  }
  const found = await Promise.all(Object.keys(programs).map(async (program) => [program, await isInstalled(program)]));
  const missing = new Set(found.filter(([, installed]) => !installed).map(([program]) => program));
  if (missing.size === 0) return;
  const absent = Object.entries(programs).filter(([program]) => missing.has(program));
  throw new Failure({
    code: "programs-missing",
    kind: "configuration",
    message: `building an image: not installed: ${absent.map(([program]) => program).join(", ")}`,
    hint: `apt-get install ${[...new Set(absent.map(([, debianPackage]) => debianPackage))].join(" ")}`,
    data: { programs: absent.map(([program]) => program) },
  });
}

async function isInstalled(program: string): Promise<boolean> {
  const attempts = folders.map((folder) => access(join(folder, program), constants.X_OK));
  return Promise.any(attempts).then(
    () => true,
    () => false,
  );
}
