import type { TargetFile } from "../step.ts";
import { renewLoaderPath } from "./renew-loader.ts";

/**
 * What `shim-install` does at upgrades reaches the fallback path with shim's fallback program, which would make boot
 * entries, put them first, and reset a server that has a TPM (shim's README.fallback). GRUB goes there instead, with the
 * stub that leads to the menu: SUSE's GRUB reads the one beside it.
 */
export const suseLoaderFile: TargetFile = {
  path: renewLoaderPath,
  mode: 0o755,
  content: `#!/bin/sh
# Keeps the fallback path of /boot/efi as its packages' boot loaders are. Written by Metalcast's installer.
set -eu
fallback=/boot/efi/EFI/BOOT

renew() {
  if ! [ -e "$1" ] || cmp -s "$1" "$2"; then return; fi
  cp --preserve=timestamps "$1" "$2.metalcast-new"
  sync "$2.metalcast-new"
  mv --force "$2.metalcast-new" "$2"
}

for folder in /boot/efi/EFI/*; do
  if ! [ -e "$folder/shim.efi" ] || ! [ -e "$folder/grub.efi" ]; then continue; fi
  mkdir -p "$fallback"
  for name in grub.efi grub.cfg MokManager.efi; do renew "$folder/$name" "$fallback/$name"; done
  renew "$folder/shim.efi" "$fallback/BOOTX64.EFI"
done
rm -f "$fallback/fallback.efi"
`,
};
