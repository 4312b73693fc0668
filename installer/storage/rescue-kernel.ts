import { Failure } from "../../common/failure.ts";
import { isBefore, type KernelVersion } from "./kernel-age.ts";

/**
 * The first kernel that writes a logical block size into md's superblock. It is put where older kernels want zeros: those
 * refuse the members with EINVAL. Linux commit 62ed1b582246, "md: allow configuring logical block size"; Debian bug
 * 1130781. Nothing switches it off on the side that writes.
 */
const firstWithBlockSize: KernelVersion = [6, 19];

/**
 * An array that the running kernel makes must be one that the installed kernels assemble.
 * @param release of the rescue system's kernel, as uname(1) has it: 6.1.0-40-amd64
 * @throws Failure `rescue-kernel-too-new` (configuration)
 */
export function checkRescueKernel(release: string, imageKernels: readonly string[]): void {
  if (isOlder(release)) return;
  const lockedOut = imageKernels.filter(isOlder);
  if (lockedOut.length === 0) return;
  throw new Failure({
    code: "rescue-kernel-too-new",
    kind: "configuration",
    message: `planning arrays: those that this kernel (${release}) makes can't be assembled by the image's (${lockedOut.join(", ")})`,
    hint: `boot a rescue system with a kernel before ${firstWithBlockSize.join(".")}, or use storage without arrays`,
    data: { release, lockedOut },
  });
}

function isOlder(release: string): boolean {
  return isBefore(release, firstWithBlockSize);
}
