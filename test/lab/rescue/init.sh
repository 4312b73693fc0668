#!/bin/busybox sh
# First program of the rescue system, on User Mode Linux and QEMU alike: lays /layer over the read-only rescue root and starts it.
# The kernel hands us its own unknown arguments as environment: lab_base (where the root is), lab_share (a directory of the host).
set -eu
PATH=/bin:/sbin
/bin/busybox mkdir -p /proc /sys /dev /base /writable /root
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev 2>/dev/null || mountpoint -q /dev

case $lab_base in
/dev/*)
  for module in virtio_pci virtio_blk crc32c_generic ext4 overlay; do modprobe "$module"; done
  while [ ! -b "$lab_base" ]; do sleep 0.1; done
  mount -t ext4 -o ro "$lab_base" /base
  ;;
*)
  mount -t hostfs -o "ro,$lab_base" hostfs /base
  insmod "/base/lib/modules/$(uname -r)/kernel/fs/overlayfs/overlay.ko"
  ;;
esac

mount -t tmpfs -o size=75% tmpfs /writable
mkdir /writable/upper /writable/work
mount -t overlay -o lowerdir=/base,upperdir=/writable/upper,workdir=/writable/work overlay /root
cp -a /layer/. /root/
mkdir -p /root/run/base
mount --move /base /root/run/base
umount /proc
exec switch_root /root /usr/lib/lab/start
