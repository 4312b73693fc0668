#!/bin/bash
# `make-dirty KIND COMMAND...`: leaves on the server's disks what earlier owners leave, then runs the command.
set -eu
kind=$1
shift
settle() { udevadm settle; }
table() { for disk in "$@"; do sgdisk --new=1:0:+512M --new=2:0:+512M "$disk"; done && settle; }
create() { mdadm --create "$@" --run --quiet --homehost=elsewhere && settle; }
mkdir -p /mnt/old
modprobe -a dm-crypt btrfs

make() {
  case $kind in
  # An active, mounted array of another host and a degraded one; on a third disk, which stays, a config drive.
  md-active-and-degraded)
    table /dev/sda /dev/sdb
    create /dev/md/old --level=1 --raid-devices=2 --metadata=1.2 --assume-clean /dev/sda1 /dev/sdb1
    create /dev/md/half --level=1 --raid-devices=2 --metadata=1.2 /dev/sda2 missing
    mkfs.ext4 -q /dev/md/old
    mount /dev/md/old /mnt/old
    mkfs.vfat -n config-2 /dev/sdc
    mcopy -i /dev/sdc -s /root/job/old/openstack ::
    ;;
  nvme-md-active)
    table /dev/nvme0n1 /dev/nvme1n1
    create /dev/md/old --level=1 --raid-devices=2 --metadata=1.2 --assume-clean /dev/nvme0n1p1 /dev/nvme1n1p1
    mkfs.ext4 -q /dev/md/old
    mount /dev/md/old /mnt/old
    ;;
  # Named as the preset's own, one of its volumes mounted.
  lvm-of-our-name)
    table /dev/sda /dev/sdb
    vgcreate system /dev/sda1 /dev/sdb1
    lvcreate --yes --name root --size 600M system
    settle
    mkfs.ext4 -q /dev/system/root
    mount /dev/system/root /mnt/old
    ;;
  luks-and-swap-in-use)
    table /dev/sda /dev/sdb
    cryptsetup luksFormat --batch-mode --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/sda1 /root/job/passphrase
    cryptsetup open /dev/sda1 secret --key-file=/root/job/passphrase
    mkfs.ext4 -q /dev/mapper/secret
    mount /dev/mapper/secret /mnt/old
    mkswap /dev/sda2
    mkswap /dev/sdb2
    swapon /dev/sda2 /dev/sdb2
    ;;
  btrfs-over-two-disks)
    mkfs.btrfs --force --quiet /dev/sda /dev/sdb
    mount /dev/sda /mnt/old
    ;;
  zfs-labels) node /root/job/labels.mjs zfs /dev/sda /dev/sdb /dev/sdc /dev/sdd ;;
  gpt-and-mbr)
    table /dev/sda
    sgdisk --hybrid=1 /dev/sda
    printf 'label: dos\n,512M\n,,E\n,512M\n,512M\n' | sfdisk /dev/sdb
    settle
    mkfs.vfat -n config-2 /dev/sda1
    mkfs.ext4 -q /dev/sdb6
    ;;
  blank) ;;
  *) echo "there is no $kind" && return 1 ;;
  esac
}

make >/tmp/log 2>&1 </dev/null || {
  echo "the disks could not be made dirty:"
  cat /tmp/log
  exit 99
}
settle
exec "$@"
