#!/bin/sh
# Builds the one initramfs that finds a root on any storage: the installer need not build another.
set -eu
# Newer Ubuntus have dracut in its place, which has a script of its own.
command -v mkinitramfs >/dev/null || exit 0

cat >/etc/initramfs-tools/conf.d/metal <<END
# Every driver, not only this machine's; no waiting for a swap device to resume from.
MODULES=most
RESUME=none
END

# Here and not in /etc/initramfs-tools/modules, which would also load them all at every boot.
cat >/etc/initramfs-tools/hooks/metal <<'END'
#!/bin/sh
[ "$1" = prereqs ] && exit 0
. /usr/share/initramfs-tools/hook-functions
manual_add_modules raid0 raid1 raid10 raid456 dm_mod dm_raid dm_crypt nvme ahci mpt3sas megaraid_sas aacraid hpsa
manual_add_modules virtio_blk virtio_scsi ext4 xfs btrfs vfat
# The stock hook takes these by the root's line in /etc/fstab, which the image does not have.
for program in fsck logsave fsck.ext4 fsck.xfs fsck.btrfs; do
  copy_exec "$(command -v "$program")" /sbin
done
END
chmod 755 /etc/initramfs-tools/hooks/metal

# Without a crypttab this puts cryptsetup in nonetheless (cryptsetup-initramfs's conf-hook).
sed -i 's/^#\?CRYPTSETUP=.*/CRYPTSETUP=y/' /etc/cryptsetup-initramfs/conf-hook

sed -i 's/^update_initramfs=.*/update_initramfs=yes/' /etc/initramfs-tools/update-initramfs.conf
rm -f /boot/initrd.img-*
update-initramfs -c -k all
