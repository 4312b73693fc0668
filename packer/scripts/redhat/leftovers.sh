#!/bin/sh
# Removes what dnf, GRUB and the network scripts have of the machine that the image was made on.
set -eu

# Made for one machine's disks, with the name of a machine that is no more.
rm -f /boot/vmlinuz-0-rescue-* /boot/initramfs-0-rescue-* /boot/loader/entries/*-0-rescue.conf /boot/initramfs-*kdump.img

# With boot loader entries, from Red Hat 8 on, GRUB must go on reading them.
if [ -d /boot/loader/entries ] && ! grep -q '^GRUB_ENABLE_BLSCFG=' /etc/default/grub; then
  echo GRUB_ENABLE_BLSCFG=true >>/etc/default/grub
fi

# Red Hat 8's entries refer to the arguments that are kept here; the entry that is booted is the newest.
environment=$(grub2-editenv - list 2>/dev/null || :)
case "$environment" in *kernelopts=*) grub2-editenv - set "kernelopts=$(cat /etc/kernel/cmdline)" ;; esac
case "$environment" in *saved_entry=*) grub2-editenv - unset saved_entry ;; esac

# The names of NICs that the vendor's settings gave; cloud-init writes the server's.
rm -f /etc/sysconfig/network-scripts/ifcfg-e* /etc/NetworkManager/system-connections/*.nmconnection

rm -f /etc/iscsi/initiatorname.iscsi
rm -rf /var/cache/dnf/* /var/cache/yum/* /var/cache/libdnf5/*
# Berkeley DB's working files, which belong to one machine.
rm -f /var/lib/rpm/__db.*
