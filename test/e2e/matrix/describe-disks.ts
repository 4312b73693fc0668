/**
 * Prints what the two disks of a RAID1 server hold, but for times and counters: partition tables, arrays, and all files
 * by kind, mode, owner, size and content, a line for each of the root's folders.
 */
export const describeDisksScript = `#!/bin/sh
set -eu
exclude='^(lost[+]found|var/log/metalcast)(/|$)'
tree() {
  cd "$1"
  for top in $(ls -A | LC_ALL=C sort); do
    printf '%s %s ' "$2" "$top"
    find "./$top" -xdev -printf '%P %y %m %U %G %l\\n' | sed 's/^ /. /' | LC_ALL=C sort >/tmp/list
    find "./$top" -xdev -type f -printf '%p\\0' | LC_ALL=C sort -z | xargs -0r sha256sum >/tmp/sums
    grep -Ev 'var/log/metalcast' /tmp/list /tmp/sums | sha256sum
  done
  cd /
}
# Which of them is sda changes from start to start.
disk() { readlink -f /dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_"$1"; }
udevadm settle
grep -q '^md' /proc/mdstat || mdadm --assemble --readonly /dev/md/root "$(disk LAB0)4" "$(disk LAB1)4"
udevadm settle
for serial in LAB0 LAB1; do
  disk=$(disk $serial)
  sfdisk --dump "$disk" | sed "s/^device:.*//; s|^$disk|$serial-|"
  for part in 1 2 3; do
    printf '%s-%s ' "$serial" "$part"
    blkid -p -o export -s LABEL -s UUID -s TYPE "$disk$part" | sed '/^DEVNAME=/d' | tr '\\n' ' '
    echo
  done
  sha256sum <"\${disk}1"
  sha256sum <"\${disk}3"
  mdadm --examine --export "\${disk}4" | grep -E '^MD_(LEVEL|DEVICES|UUID|NAME|METADATA|ARRAY_SIZE)'
done
mkdir -p /mnt/root /mnt/esp
mount -o ro "$(ls /dev/md[0-9]* | head -n 1)" /mnt/root
tree /mnt/root root
umount /mnt/root
for serial in LAB0 LAB1; do
  mount -t vfat -o ro "$(disk $serial)2" /mnt/esp
  tree /mnt/esp "$serial"
  umount /mnt/esp
done
`;
