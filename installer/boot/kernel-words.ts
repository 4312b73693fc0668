/**
 * The kernel's command line that the vendor wrote for one disk of a virtual machine: what says where that disk's root
 * file system is, and what would keep arrays, LVM or LUKS from being brought up, is replaced. All else stays, as
 * `crashkernel=` and the vendor's own consoles do; the last `console=` is the one that counts, so ours come last.
 *
 * @param vendor words as the kernel splits them; `$tuned_params` and other variables of GRUB's are words too
 * @param root says where the root file system is
 * @param added for good, the job's own at the end
 */
export function replaceRoot(vendor: readonly string[], root: readonly string[], added: readonly string[]): string[] {
  const kept = vendor.filter((word) => !namesRoot.test(word) && !added.includes(word));
  return [...root, ...kept, ...added];
}

/** dracut.cmdline(7), kernel-parameters.txt; GRUB adds `BOOT_IMAGE`. `$kernelopts` stands for all of them. */
const namesRoot =
  /^(?:(?:root|rootfstype|rootflags|resume|resume_offset|BOOT_IMAGE)=|(?:ro|rw)$|rd\.(?:md|lvm|luks|dm|auto|retry)(?:[.=]|$)|\$kernelopts$)/;

/** Splits as the kernel does (lib/cmdline.c, `next_arg`): blanks within double quotes belong to a word. */
export function splitWords(line: string): string[] {
  return line.match(/(?:[^\s"]|"[^"]*(?:"|$))+/g) ?? [];
}
