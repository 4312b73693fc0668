scripts = [
  "scripts/debian/packages.sh",
  "scripts/debian/initramfs.sh",
  "scripts/debian/leftovers.sh",
  "scripts/cloud-init.sh",
  "scripts/seal.sh",
]

family_packages = [
  "btrfs-progs",
  "ca-certificates",
  "cloud-init",
  "cryptsetup",
  "cryptsetup-initramfs",
  "curl",
  "dosfstools",
  "e2fsprogs",
  "efibootmgr",
  "grub-efi-amd64-bin",
  "grub-efi-amd64-signed",
  "grub-pc",
  "lvm2",
  "mdadm",
  "openssh-server",
  "shim-signed",
  "xfsprogs",
  "zstd",
]
