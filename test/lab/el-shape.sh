#!/bin/sh
# Gives a root file system of Debian's packages the shape of Red Hat's where the two differ: names of programs and files,
# boot entries, the ESP's folders, SELinux's labels, an rpm database. Usage: el-shape.sh ROOT VERSION
set -eu
root=$1 version=$2
kernel=$(ls "$root/lib/modules")
# For 7 it says that it is Red Hat's own, whose folder of the ESP has another name than the distribution.
case $version in
  7.*) id=rhel like=fedora vendor=redhat ;;
  *) id=almalinux like="rhel centos fedora" vendor=almalinux ;;
esac
uuid=6c2b2a3e-9f2e-4a5d-8a55-0d2f0f4f6f01

rm "$root/etc/os-release"
cat >"$root/usr/lib/os-release" <<END
NAME="An EL-shaped system"
VERSION="$version (EL-shaped, of Debian's packages)"
ID="$id"
ID_LIKE="$like"
VERSION_ID="$version"
PRETTY_NAME="An EL-shaped system $version"
END
ln -s ../usr/lib/os-release "$root/etc/os-release"

# GRUB: Red Hat's names, and its folder.
for program in editenv install mkconfig mkrelpath probe; do
  [ ! -e "$root/usr/sbin/grub-$program" ] || ln -s "grub-$program" "$root/usr/sbin/grub2-$program"
  [ ! -e "$root/usr/bin/grub-$program" ] || ln -s "grub-$program" "$root/usr/bin/grub2-$program"
done
rm -rf "$root/boot/grub" "$root/etc/default/grub.d"
mkdir -p "$root/boot/grub2"
ln -s grub2 "$root/boot/grub"
cat >"$root/etc/default/grub" <<END
GRUB_TIMEOUT=1
GRUB_DISTRIBUTOR="An EL-shaped system"
GRUB_DEFAULT=saved
GRUB_DISABLE_SUBMENU=true
GRUB_TERMINAL_OUTPUT="console"
GRUB_CMDLINE_LINUX="console=tty0 console=ttyS0,115200n8 net.ifnames=0 rd.lvm.lv=vendor/root crashkernel=1G-4G:64M"
GRUB_DISABLE_RECOVERY="true"
END

# The ESP as its packages fill it. GRUB has the modules of EL 9's signed one, and by its own name the one for boot entries.
esp=$root/boot/efi/EFI
mkdir -p "$esp/$vendor" "$esp/BOOT"
chroot "$root" grub-mkimage --format=x86_64-efi --prefix="/EFI/$vendor" --output="/boot/efi/EFI/$vendor/grubx64.efi" \
  all_video boot blsuki cat configfile cryptodisk echo efifwsetup efinet ext2 f2fs fat font gcry_rijndael gcry_rsa \
  gcry_serpent gcry_sha256 gcry_twofish gcry_whirlpool gfxmenu gfxterm gzio halt http iso9660 jpeg loadenv loopback linux \
  lvm luks luks2 mdraid09 mdraid1x minicmd net normal part_apple part_msdos part_gpt password_pbkdf2 pgp png reboot regexp \
  search search_fs_uuid search_fs_file search_label serial sleep test tftp tpm video xfs zstd
cp "$root/usr/lib/shim/shimx64.efi.signed" "$esp/$vendor/shimx64.efi"
cp "$root/usr/lib/shim/shimx64.efi.signed" "$esp/BOOT/BOOTX64.EFI"
cp "$root/usr/lib/shim/fbx64.efi.signed" "$esp/BOOT/fbx64.efi"
echo "search --no-floppy --fs-uuid --set=dev $uuid" >"$esp/$vendor/grub.cfg"

# mdadm of this machine's release, as old as Red Hat's. On a rescue system's kernel that is much older than itself, forky's
# tells no UUID of an array, and GRUB does not find the array then.
cp "$(command -v mdadm)" "$root/usr/sbin/mdadm"

# The kernel, in both places. Its initramfs is made in the factory.
rm -f "$root/boot/"initr* "$root/boot/vmlinuz-$kernel"
cp "$root/lib/modules/$kernel/vmlinuz" "$root/boot/vmlinuz-$kernel"

# Boot entries, and what writes those of later kernels (from 8 on; before, GRUB's menu has the kernels).
if [ "${version%%.*}" != 7 ]; then
  echo GRUB_ENABLE_BLSCFG=true >>"$root/etc/default/grub"
  arguments="root=UUID=$uuid ro console=tty0 console=ttyS0,115200n8 net.ifnames=0 crashkernel=1G-4G:64M"
  options=$arguments
  if [ "${version%%.*}" = 8 ]; then
    # A word more: GRUB 2.14 (bls_get_linux) makes room for one byte too few, and without this one the kernel's line is just
    # as long as that matters.
    arguments="$arguments audit=0"
    # shellcheck disable=SC2016 # GRUB's variable
    options='$kernelopts'
    chroot "$root" grub-editenv "/boot/efi/EFI/$vendor/grubenv" create
    chroot "$root" grub-editenv "/boot/efi/EFI/$vendor/grubenv" set "kernelopts=$arguments"
    ln -s "../efi/EFI/$vendor/grubenv" "$root/boot/grub2/grubenv"
  fi
  mkdir -p "$root/boot/loader/entries" "$root/etc/kernel"
  echo "$arguments" >"$root/etc/kernel/cmdline"
  echo layout=other >"$root/etc/kernel/install.conf"
  cat >"$root/boot/loader/entries/ffffffffffffffffffffffffffffffff-$kernel.conf" <<END
title An EL-shaped system ($kernel)
version $kernel
linux /boot/vmlinuz-$kernel
initrd /boot/initramfs-$kernel.img
options $options
grub_class rhel
END
  # GRUB's menu is made of the entries. Red Hat's GRUB finds them in /boot of the root file system by itself.
  cat >"$root/etc/grub.d/10_linux" <<'END'
#!/bin/sh
set -e
. /usr/share/grub/grub-mkconfig_lib
prepare_grub_to_access_device "$(grub-probe --target=device /boot)"
echo "insmod blsuki"
echo "blscfg --path $(grub-mkrelpath /boot/loader/entries)/"
END
  # As Red Hat's 20-grub.install does it.
  cat >"$root/usr/lib/kernel/install.d/20-grub.install" <<'END'
#!/bin/sh
set -eu
entry=/boot/loader/entries/$KERNEL_INSTALL_MACHINE_ID-$2.conf
if [ "$1" != add ]; then
  rm -f "/boot/vmlinuz-$2" "/boot/initramfs-$2.img" "$entry"
  exit 0
fi
cp "$4" "/boot/vmlinuz-$2"
folder=$(dirname "$(grub2-mkrelpath "/boot/vmlinuz-$2")")
{
  echo "title An EL-shaped system ($2)"
  echo "version $2"
  echo "linux ${folder%/}/vmlinuz-$2"
  echo "initrd ${folder%/}/initramfs-$2.img"
  echo "options $(cat /etc/kernel/cmdline)"
  echo "grub_class rhel"
} >"$entry"
END
  chmod +x "$root/usr/lib/kernel/install.d/20-grub.install"
fi

# SELinux: labels, and no more. This policy is Debian's, and it is not enforced.
printf 'SELINUX=permissive\nSELINUXTYPE=default\n' >"$root/etc/selinux/config"

# The network as Red Hat's cloud-init writes it.
mkdir -p "$root/etc/cloud/cloud.cfg.d"
echo 'system_info: { network: { renderers: [network-manager] } }' >"$root/etc/cloud/cloud.cfg.d/50-renderer.cfg"

# What is asked for by name, in an rpm database; nothing is left of dpkg's.
work=$(mktemp -d)
{
  printf 'Name: el-shape\nVersion: %s\nRelease: 1\nSummary: Shape\nLicense: none\nBuildArch: noarch\n%%description\n' "$version"
  for name in btrfs-progs cloud-init cryptsetup curl dosfstools dracut e2fsprogs efibootmgr kernel-core lvm2 mdadm \
    openssh-server policycoreutils shim-x64 xfsprogs; do
    printf '%%package -n %s\nSummary: Shape\n%%description -n %s\n%%files -n %s\n' "$name" "$name" "$name"
  done
} >"$work/shape.spec"
rpmbuild --quiet -bb --define "_topdir $work" "$work/shape.spec"
mkdir -p "$root/var/lib/rpm"
rpm --dbpath "$root/var/lib/rpm" --initdb
rpm --dbpath "$root/var/lib/rpm" --install --justdb --nodeps --noscripts --ignorearch "$work"/RPMS/noarch/*.rpm
rm -rf "$work" "$root/var/lib/dpkg" "$root/var/lib/apt" "$root/etc/apt" "$root/var/cache/apt"
