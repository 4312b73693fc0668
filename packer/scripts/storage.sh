#!/bin/sh
# Readies RAID and LVM for any disks, not those of the machine that built the image.
set -eu

# Any array is assembled, whichever host made it (mdadm.conf(5), HOMEHOST and AUTO).
configuration=/etc/mdadm.conf
[ ! -d /etc/mdadm ] || configuration=/etc/mdadm/mdadm.conf
cat >"$configuration" <<END
HOMEHOST <ignore>
AUTO +all
MAILADDR root
END

# Where this list exists, LVM sees no disk that is not on it (lvmdevices(8)).
rm -rf /etc/lvm/devices/* /etc/lvm/archive/* /etc/lvm/backup/* /etc/lvm/cache/*
