#!/bin/sh
# cloud-init configures the server from its config drive, and leaves disks and boot loader to the installer.
set -eu
rm -f /etc/cloud/ds-identify.cfg
cat >/etc/cloud/cloud.cfg.d/99-metal.cfg <<END
# The installer partitioned the disks and installed GRUB.
growpart: { mode: "off" }
resize_rootfs: false
grub_dpkg: { enabled: false }
datasource_list: [ConfigDrive, NoCloud, None]
END
cloud-init clean --logs --seed
