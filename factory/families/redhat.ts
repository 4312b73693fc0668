import type { Family } from "./family.ts";

/** Red Hat Enterprise Linux, its clones, CentOS Stream, Fedora. */
export const redhat: Family = {
  name: "redhat",
  ids: ["rhel", "centos", "fedora", "almalinux", "rocky", "ol"],
  packageManagers: ["dnf", "yum"],
  packageNames: {
    curl: ["curl", "curl-minimal"],
    "shim-signed": ["shim-x64", "shim"],
  },
  kernelPaths: ["boot/vmlinuz-*", "lib/modules/*/vmlinuz"],
  initramfsPaths: ["boot/initramfs-*.img"],
  // The packages lay the signed programs onto the ESP; Fedora keeps a second set below /usr/lib/efi.
  firmware: {
    bios: ["usr/lib/grub/i386-pc/moddep.lst"],
    uefi: ["boot/efi/EFI/*/grubx64.efi", "usr/lib/efi/grub2/*/EFI/*/grubx64.efi"],
    shim: ["boot/efi/EFI/*/shimx64.efi", "usr/lib/efi/shim/*/EFI/*/shimx64.efi"],
    signedGrub: ["boot/efi/EFI/*/grubx64.efi", "usr/lib/efi/grub2/*/EFI/*/grubx64.efi"],
  },
};
