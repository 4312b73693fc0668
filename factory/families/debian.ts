import type { Family } from "./family.ts";

/** Debian, Ubuntu and what descends from them. */
export const debian: Family = {
  name: "debian",
  ids: ["debian", "ubuntu"],
  packageManagers: ["apt-get"],
  // Ubuntu 26.04 splits it.
  packageNames: { "cloud-init": ["cloud-init", "cloud-init-base"] },
  kernelPaths: ["boot/vmlinuz-*"],
  initramfsPaths: ["boot/initrd.img-*"],
  firmware: {
    bios: ["usr/lib/grub/i386-pc/moddep.lst"],
    uefi: ["usr/lib/grub/x86_64-efi/moddep.lst"],
    shim: ["usr/lib/shim/shimx64.efi.signed", "usr/lib/shim/shimx64.efi.signed.latest"],
    signedGrub: ["usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"],
  },
};
