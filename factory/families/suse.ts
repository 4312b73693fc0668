import type { Family } from "./family.ts";

/** openSUSE and SUSE Linux Enterprise. */
export const suse: Family = {
  name: "suse",
  ids: ["suse", "opensuse", "opensuse-leap", "opensuse-tumbleweed", "sles"],
  packageManagers: ["zypper"],
  packageNames: {
    "btrfs-progs": ["btrfsprogs"],
    "openssh-server": ["openssh-server", "openssh"],
    "shim-signed": ["shim"],
  },
  kernelPaths: ["boot/vmlinuz-*", "lib/modules/*/vmlinuz"],
  initramfsPaths: ["boot/initrd-*"],
  firmware: {
    bios: ["usr/share/grub2/i386-pc/moddep.lst", "usr/lib/grub2/i386-pc/moddep.lst"],
    uefi: ["usr/share/grub2/x86_64-efi/moddep.lst", "usr/lib/grub2/x86_64-efi/moddep.lst"],
    shim: ["usr/share/efi/x86_64/shim.efi", "usr/lib64/efi/shim.efi"],
    // Signed as it is built; the others of its folder are modules.
    signedGrub: ["usr/share/efi/x86_64/grub.efi", "usr/lib64/efi/grub.efi"],
  },
};
