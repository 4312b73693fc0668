#!/bin/sh
# Removes what the vendor put there for a cloud, and what apt left.
set -eu

# The vendor's serial console stays; what names the root by its partition goes, for a root on RAID has none.
find /etc/default -path '/etc/default/grub*' -type f -exec sed -i -E '/root=|GRUB_DEVICE|LINUX_UUID|PARTUUID/d' {} +
# The installer writes the file systems of the target.
: >/etc/fstab
rm -f /boot/grub/device.map /etc/default/*.ucf-* /etc/default/*.dpkg-*

apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/lib/dpkg/*-old
