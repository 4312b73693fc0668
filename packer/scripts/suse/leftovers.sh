#!/bin/sh
# Removes what GRUB, snapper and the network scripts have of the machine that the image was made on.
set -eu

# Where the vendor's GRUB was installed.
rm -f /etc/default/grub_installdevice

# Snapshots need the vendor's layout of btrfs subvolumes, which the target has only where its job asks for it.
rm -f /etc/snapper/configs/root
[ ! -f /etc/sysconfig/snapper ] || sed -i 's/^SNAPPER_CONFIGS=.*/SNAPPER_CONFIGS=""/' /etc/sysconfig/snapper

# The names of NICs that the vendor's settings gave; cloud-init writes the server's.
rm -f /etc/sysconfig/network/ifcfg-e* /etc/NetworkManager/system-connections/*.nmconnection

rm -f /etc/iscsi/initiatorname.iscsi /etc/zypp/credentials.d/SCCcredentials
rm -rf /var/cache/zypp/* /var/lib/zypp/AnonymousUniqueId
