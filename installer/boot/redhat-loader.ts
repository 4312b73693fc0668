import type { ImageFacts } from "../../mirror/index.ts";
import type { TargetFile } from "../step.ts";
import type { Layout } from "../storage/layout.ts";
import { holderOfBoot } from "./holder-of-boot.ts";
import { efiVendor, hasBootEntries } from "./redhat-release.ts";
import { renewLoaderPath } from "./renew-loader.ts";

/**
 * What the signed GRUB reads on the ESP: where the menu is. Each of its folders has one, since it looks into the one that
 * it was started from. RHEL 7's own folder has the menu itself. Updates of grub2-common put another stub in the place of
 * one in which they do not find `root-dev-only` (grub2.spec since EL 9.4, %posttrans); the option itself is unknown to
 * older GRUBs, and those of 2024 find no array with it.
 */
export function menuStubFiles(layout: Layout, osRelease: ImageFacts["osRelease"]): TargetFile[] {
  const { id, mountPoint } = holderOfBoot(layout);
  const vendor = efiVendor(osRelease);
  const stub = `# Not root-dev-only: /boot may be on an array.
search --no-floppy --fs-uuid --set=dev ${id}
set prefix=($dev)${mountPoint === "/boot" ? "" : "/boot"}/grub2
export prefix
configfile $prefix/grub.cfg
`;
  const write = (folder: string, content: string) => ({
    path: `/boot/efi/EFI/${folder}/grub.cfg`,
    mode: 0o700,
    content,
  });
  if (hasBootEntries(osRelease)) return [write(vendor, stub), write("BOOT", stub)];
  return [write("BOOT", `configfile ($root)/EFI/${vendor}/grub.cfg\n`)];
}

/**
 * The packages lay shim and GRUB into the vendor's folder of the ESP, and shim with its fallback program at the path that
 * firmware looks into by itself. That program would make boot entries, put them first, and reset a server that has a TPM
 * (shim's README.fallback); without it, shim starts the GRUB beside it, which therefore has to be there.
 */
export function fallbackLoaderFile(vendor: string): TargetFile {
  const content = `#!/bin/sh
# Keeps the fallback path of /boot/efi as its packages' boot loaders are. Written by Metalcast's installer.
set -eu
loaders=/boot/efi/EFI/${vendor}
fallback=/boot/efi/EFI/BOOT

if ! [ -e "$loaders/grubx64.efi" ]; then
  echo "metalcast: there is no $loaders/grubx64.efi" >&2
  exit 1
fi

renew() {
  if ! [ -e "$loaders/$1" ] || cmp -s "$loaders/$1" "$fallback/$2"; then return; fi
  cp --preserve=timestamps "$loaders/$1" "$fallback/$2.metalcast-new"
  sync "$fallback/$2.metalcast-new"
  mv --force "$fallback/$2.metalcast-new" "$fallback/$2"
}

mkdir -p "$fallback"
renew grubx64.efi grubx64.efi
renew mmx64.efi mmx64.efi
if [ -e "$loaders/shimx64.efi" ]; then
  renew shimx64.efi BOOTX64.EFI
else
  renew grubx64.efi BOOTX64.EFI
fi
rm -f "$fallback/fbx64.efi"
`;
  return { path: renewLoaderPath, mode: 0o755, content };
}
