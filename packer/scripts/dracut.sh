#!/bin/sh
# Builds the one initramfs that finds a root on any storage, with dracut: the installer need not build another.
set -eu

if ! command -v dracut >/dev/null; then
  # Of Debian's family only newer Ubuntus have it.
  ! command -v update-initramfs >/dev/null || exit 0
  echo "there is no dracut to build the initramfs with" >&2
  exit 1
fi

# dracut.conf(5). Every driver, not only this machine's; nothing of this machine's disks and kernel command line.
cat >/etc/dracut.conf.d/90-metal.conf <<END
hostonly="no"
hostonly_cmdline="no"
use_fstab="no"
mdadmconf="yes"
lvmconf="yes"
early_microcode="yes"
add_dracutmodules+=" mdraid lvm dm crypt "
END

# What it is called differs, and newer dracut would choose a folder named after a machine that is no more.
prefix=initramfs- suffix=.img
if [ -s /var/lib/dpkg/status ]; then
  prefix=initrd.img- suffix=
elif command -v zypper >/dev/null; then
  prefix=initrd- suffix=
fi
rm -f "/boot/$prefix"*

# What a root on any storage needs, where the kernel has it as a module.
needed="ahci dm-crypt dm-mod ext4 megaraid_sas mpt3sas nvme raid1 raid10 raid456 xfs"

built=0
for modules in /lib/modules/*; do
  [ -e "$modules/modules.dep" ] || continue
  kernel=${modules##*/}
  if [ ! -e "/boot/vmlinuz-$kernel" ]; then
    echo "the kernel $kernel has modules, but there is no /boot/vmlinuz-$kernel" >&2
    exit 1
  fi
  initramfs=/boot/$prefix$kernel$suffix
  dracut --force "$initramfs" "$kernel"
  contents=$(lsinitrd "$initramfs")
  for module in $needed; do
    grep -q "/$module\.ko[^/:]*:" "$modules/modules.dep" || continue
    case "$contents" in
    *"/$module.ko"*) ;;
    *)
      echo "the initramfs of $kernel lacks $module" >&2
      exit 1
      ;;
    esac
  done
  built=$((built + 1))
done
if [ "$built" = 0 ]; then
  echo "there is no kernel in /lib/modules to build an initramfs for" >&2
  exit 1
fi
