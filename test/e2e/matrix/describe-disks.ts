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
udevadm settle
grep -q '^md' /proc/mdstat || mdadm --assemble --readonly /dev/md/root /dev/sda4 /dev/sdb4
udevadm settle
for disk in sda sdb; do
  sfdisk --dump /dev/$disk | sed 's/^device:.*//'
  for part in 1 2 3; do printf '%s%s ' "$disk" "$part"; blkid -p -o export -s LABEL -s UUID -s TYPE /dev/$disk$part | tr '\\n' ' '; echo; done
  sha256sum </dev/\${disk}1
  sha256sum </dev/\${disk}3
  mdadm --examine --export /dev/\${disk}4 | grep -E '^MD_(LEVEL|DEVICES|UUID|NAME|METADATA|ARRAY_SIZE)'
done
mkdir -p /mnt/root /mnt/esp
mount -o ro "$(ls /dev/md[0-9]* | head -n 1)" /mnt/root
tree /mnt/root root
umount /mnt/root
for disk in sda sdb; do
  mount -t vfat -o ro "/dev/\${disk}2" /mnt/esp
  tree /mnt/esp "$disk"
  umount /mnt/esp
done
`;
