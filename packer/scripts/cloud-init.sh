#!/bin/sh
# cloud-init configures the server from its config drive, and leaves disks and boot loader to the installer.
set -eu
rm -f /etc/cloud/ds-identify.cfg /etc/cloud/cloud-init.disabled
cat >/etc/cloud/cloud.cfg.d/99-metal.cfg <<END
# The installer partitioned the disks and installed GRUB.
growpart: { mode: "off" }
resize_rootfs: false
grub_dpkg: { enabled: false }
datasource_list: [ConfigDrive, NoCloud, None]
END
# No other option: each version knows others, and what they remove is removed here and by the seal.
cloud-init clean --logs
# What it wrote for another machine, by the names in its clean command.
rm -f /etc/netplan/50-cloud-init.yaml /etc/network/interfaces.d/50-cloud-init* \
  /etc/NetworkManager/system-connections/cloud-init-*.nmconnection \
  /etc/NetworkManager/conf.d/*cloud-init*.conf /etc/systemd/network/10-cloud-init-*.network \
  /etc/ssh/sshd_config.d/50-cloud-init.conf
