#!/bin/bash
# The rescue system's second program: devices, network, then the command in /usr/lib/lab/command. Powers off when it ends.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sys /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
ln -sf /proc/self/fd /dev/fd
mkdir -p /dev/pts && mount -t devpts devpts /dev/pts
# /run holds the rescue root already; its own contents are new with every start.
mount -t tmpfs tmpfs /tmp
if [ -d /sys/firmware/efi ]; then modprobe -q efivarfs && mount -t efivarfs efivarfs /sys/firmware/efi/efivars; fi

/lib/systemd/systemd-udevd --daemon
if [ -n "${lab_disks:-}" ]; then
  mkdir -p /run/disks
  mount -t hostfs hostfs /run/disks
  . /usr/lib/lab/scsi-disks
fi

udevadm trigger --action=add --subsystem-match={pci,virtio,scsi,block,net}
modprobe -qa loop vfat isofs raid0 raid1 raid456 raid10 dm-mod sd_mod
udevadm settle

# The address that QEMU's user network gives out; the host's loopback services are at 10.0.2.2 in both kinds of server.
interface=$(ls /sys/class/net | grep -v '^lo$' | head -n 1)
ip link set lo up
if [ -n "$interface" ]; then
  ip link set "$interface" up
  ip address add 10.0.2.15/24 dev "$interface"
  ip route add default via 10.0.2.2
fi

. /usr/lib/lab/mounts

echo "lab: command started"
/usr/lib/lab/command </dev/null 2>&1
status=$?
printf '\nlab: command ended with %s\n' "$status"
sync
busybox poweroff -f
