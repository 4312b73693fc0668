import type { Command, TargetFile } from "../step.ts";
import { afterPackagesPath, renewLoaderPath } from "./renew-loader.ts";

const install: Command = [
  "grub-install",
  "--target=x86_64-efi",
  "--efi-directory=/boot/efi",
  "--bootloader-id=debian",
  "--force-extra-removable",
  "--no-nvram",
];

/**
 * Images for both firmwares have the package grub-pc, whose upgrades renew GRUB for BIOS alone: grub-efi-amd64, which
 * would do it for UEFI, conflicts with it. So the signed loaders on the ESP are compared with the packages' here.
 * They are renewed once for each version, so that an administrator's own loader stays until the next upgrade, as it
 * does with Debian's packages. In the middle of an upgrade the packages need not fit each other, and another run follows.
 */
const renewLoader = `#!/bin/sh
# Renews shim and GRUB on /boot/efi after their packages have changed. Written by Metalcast's installer.
set -eu
grub=/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed
shim=/usr/lib/shim/shimx64.efi.signed
stamp=/var/lib/metalcast/loader
loaders=/boot/efi/EFI/debian

if ! [ -e "$grub" ] || ! [ -e "$shim" ]; then exit 0; fi
version=$(cksum "$grub" "$shim")
if [ "$(cat "$stamp" 2>/dev/null)" = "$version" ]; then exit 0; fi
if ! cmp -s "$grub" "$loaders/grubx64.efi" || ! cmp -s "$shim" "$loaders/shimx64.efi"; then
  packages="grub2-common grub-efi-amd64-bin grub-efi-amd64-signed shim-signed"
  # shellcheck disable=SC2086 # a list of words
  states=$(dpkg-query --show --showformat '\${db:Status-Status}\\n' $packages 2>/dev/null) || :
  if printf '%s\\n' "$states" | grep --quiet --invert-match --line-regexp installed; then exit 0; fi
  ${install.join(" ")}
fi
mkdir -p "\${stamp%/*}"
printf '%s\\n' "$version" >"$stamp.new"
sync "$stamp.new"
mv "$stamp.new" "$stamp"
`;

/** apt.conf(5), DPkg::Post-Invoke: after every run of dpkg. */
const aptHook = `DPkg::Post-Invoke { "if [ -x ${afterPackagesPath} ]; then ${afterPackagesPath}; fi"; };\n`;

/** How Debian's GRUB gets on an ESP, and what makes the packages' upgrades reach it. */
export const debianLoader = {
  /** Shim and GRUB under EFI/debian and at the fallback path; the firmware's entries stay as they are. */
  install,
  /** What is renewed after packages have changed, and that it is. */
  files: [
    { path: renewLoaderPath, mode: 0o755, content: renewLoader },
    { path: "/etc/apt/apt.conf.d/90metalcast-loader", mode: 0o644, content: aptHook },
  ],
  /** For several ESPs: what a kernel's own scripts put on the mounted one reaches the others. */
  kernelHooks: [
    // After zz-update-grub, in the order of run-parts(8).
    { path: "/etc/kernel/postinst.d/zzz-metalcast-esp-sync", symlink: afterPackagesPath },
    { path: "/etc/kernel/postrm.d/zzz-metalcast-esp-sync", symlink: afterPackagesPath },
  ],
} as const satisfies { install: Command; files: readonly TargetFile[]; kernelHooks: readonly TargetFile[] };
