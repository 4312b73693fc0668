#!/bin/bash
# Makes the disks dirty in one way after the other, wipes the first two each time, and tells what came of it. The third is somebody else's.
# Prints "NAME: EXIT, foreign kept|changed", after what the wipe said.
quietly() { "$@" >/tmp/log 2>&1 || { echo "setup failed: $*"; cat /tmp/log; }; }
settle() { udevadm settle; }
table() { for disk in "$@"; do quietly sgdisk --zap-all "$disk"; quietly sgdisk --new=1:0:+96M --new=2:0:+64M "$disk"; done; settle; }
foreign() { sync; sha256sum </dev/sdc; }
create() { quietly mdadm --create "$@" --run --quiet; settle; }
wipe() {
  name=$1
  shift
  node /root/job/wipe.mjs "$@" </dev/null
  status=$?
  [ "$known" = "$(foreign)" ] && kept=kept || kept=changed
  echo "$name: $status, foreign $kept, $(dmsetup ls | grep -c vg0-data) foreign volume"
}
both=(/dev/sda /dev/sdb)
only_foreign='devices { filter=["a|^/dev/sdc|","r|.*|"] }'
only_ours='devices { filter=["a|^/dev/(md|sd[ab])|","r|.*|"] }'

# Arrays and volume groups come up as udev sees them, as in most rescue systems.
: >/etc/mdadm/mdadm.conf
modprobe -a dm-crypt bcache btrfs 2>/dev/null

quietly sgdisk --new=1:0:+16M --new=2:0:+16M --new=3:0:+12M /dev/sdc
settle
quietly vgcreate --config "$only_foreign" vg0 /dev/sdc1
quietly lvcreate --config "$only_foreign" --yes --name data --extents 100%FREE vg0
quietly mkfs.vfat -n config-2 /dev/sdc2
settle
known=$(foreign)

table "${both[@]}"
create /dev/md/old --level=1 --raid-devices=2 --metadata=1.2 --homehost=elsewhere --assume-clean /dev/sda1 /dev/sdb1
create /dev/md/half --level=1 --raid-devices=2 --metadata=1.2 --homehost=elsewhere /dev/sda2 missing
quietly mkfs.ext4 -q /dev/md/old
mkdir -p /mnt/old && quietly mount /dev/md/old /mnt/old
wipe md-1.2-refused refuse signatures "${both[@]}"
wipe md-1.2-and-degraded take-apart signatures "${both[@]}"

table "${both[@]}"
create /dev/md/one --level=1 --raid-devices=2 --metadata=1.0 --assume-clean /dev/sda1 /dev/sdb1
create /dev/md/ninety --level=1 --raid-devices=2 --metadata=0.90 --assume-clean /dev/sda2 /dev/sdb2
quietly sgdisk --new=1:0:+32M /dev/md/one
settle
quietly mkfs.ext4 -q /dev/md/one1
wipe md-1.0-and-0.90 take-apart signatures "${both[@]}"

echo 50 >/proc/sys/dev/raid/speed_limit_min
echo 50 >/proc/sys/dev/raid/speed_limit_max
create /dev/md/resync --level=1 --raid-devices=2 --metadata=1.1 "${both[@]}"
grep -o resync /proc/mdstat | head -n 1
wipe md-resyncing take-apart signatures "${both[@]}"
echo 200000 >/proc/sys/dev/raid/speed_limit_max

table "${both[@]}"
create /dev/md/pv --level=1 --raid-devices=2 --metadata=1.2 --assume-clean /dev/sda1 /dev/sdb1
quietly vgchange --config "$only_foreign" --activate n vg0
quietly vgcreate --config "$only_ours" vg0 /dev/md/pv
quietly lvcreate --config "$only_ours" --yes --name root --size 16M vg0
quietly vgchange --config "$only_foreign" --activate y vg0
quietly mkswap /dev/mapper/vg0-root && quietly swapon /dev/mapper/vg0-root
wipe lvm-of-the-same-name take-apart signatures "${both[@]}"

table "${both[@]}"
quietly cryptsetup luksFormat --batch-mode --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/sda1 /root/job/key
quietly cryptsetup open /dev/sda1 secret --key-file=/root/job/key
quietly mkfs.ext4 -q /dev/mapper/secret
quietly mount /dev/mapper/secret /mnt/old
quietly mkswap /dev/sda2 && quietly swapon /dev/sda2
quietly mkfs.ext4 -q /dev/sdb1
mkdir -p /mnt/files && quietly mount /dev/sdb1 /mnt/files
mkdir /mnt/files/proc && mount -t proc proc /mnt/files/proc
dd if=/dev/zero of=/mnt/files/swap bs=1M count=8 2>/dev/null && chmod 600 /mnt/files/swap
quietly mkswap /mnt/files/swap && quietly swapon /mnt/files/swap
wipe luks-and-swap take-apart signatures "${both[@]}"

quietly mkfs.btrfs --force --quiet "${both[@]}"
quietly mount /dev/sda /mnt/old
wipe btrfs take-apart signatures "${both[@]}"

node /root/job/labels.mjs zfs /dev/sda
node /root/job/labels.mjs bcache /dev/sdb
settle
for disk in "${both[@]}"; do blkid --probe --output value --match-tag TYPE "$disk"; done
[ -b /dev/bcache0 ] || echo /dev/sdb >/sys/fs/bcache/register
settle
[ -b /dev/bcache0 ] && echo "bcache is active"
wipe zfs-and-bcache take-apart signatures "${both[@]}"

quietly sgdisk --new=1:0:+32M --new=2:0:+32M --hybrid=1 /dev/sda
printf 'label: dos\n,32M\n,,E\n,32M\n,32M\n' | quietly sfdisk /dev/sdb
settle
quietly mkfs.vfat -n config-2 /dev/sda1
quietly mkfs.ext4 -q /dev/sdb6
wipe tables refuse signatures "${both[@]}"

# Once nothing assembles by itself, an array can be there that nobody sees.
echo "AUTO -all" >/etc/mdadm/mdadm.conf
table /dev/sdb
create /dev/md/shared --level=1 --raid-devices=2 --metadata=1.2 --homehost=elsewhere --assume-clean --bitmap=none /dev/sdb1 /dev/sdc3
quietly mdadm --stop /dev/md/shared
settle
known=$(foreign)
wipe shared-refused refuse signatures /dev/sdb
wipe shared take-apart signatures /dev/sdb

table /dev/sda
quietly mkfs.ext4 -q -L findme /dev/sda1
wipe zero refuse zero /dev/sda
echo "$(tr -d '\000' </dev/sda | wc -c) bytes are left"
wipe secure refuse secure /dev/sda
wipe discard refuse discard /dev/sda
