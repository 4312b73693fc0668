#!/bin/sh
# The target's own program, run on real disks of a rescue system. For each case: what it said, its exit status, and what
# was found on the ESPs afterwards, as lines `CASE: FACT`.
set -u
program=/usr/local/lib/metalcast-esp-sync/esp-sync
list=/etc/metalcast/esp-partitions
one=11111111-1111-4111-8111-111111111111
two=22222222-2222-4222-8222-222222222222
small=33333333-3333-4333-8333-333333333333

settle() { udevadm settle; }
node() { readlink -f "/dev/disk/by-partuuid/$1"; }
# What lies on an ESP that is not mounted, by content and name.
contents() {
  mkdir -p /mnt/look
  mount -t vfat -o ro "$(node "$1")" /mnt/look
  (cd /mnt/look && find . -type f -exec cksum {} + | sort)
  umount /mnt/look
}
mounted_contents() { (cd /boot/efi && find . -type f -exec cksum {} + | sort); }
say_equal() {
  if [ "$(mounted_contents)" = "$(contents "$2")" ]; then echo "$1: equal"; else echo "$1: different"; fi
}
sync_esps() {
  name=$1
  shift
  "$@" sh "$program" >/tmp/said 2>&1
  echo "$name: exit $?"
  sed "s/^/$name: /" /tmp/said
  grep -c metalcast-esp-sync /proc/self/mounts | sed "s/^/$name: left mounted /"
}
fill() {
  mkdir -p /boot/efi/EFI/BOOT /boot/efi/EFI/debian
  for file in BOOT/BOOTX64.EFI BOOT/grubx64.efi debian/shimx64.efi debian/grubx64.efi "debian/a name.efi"; do
    { echo "$1 $file"; head -c 300000 /dev/urandom; echo; echo "$1 end"; } >"/boot/efi/EFI/$file"
  done
  echo "search $1" >/boot/efi/EFI/debian/grub.cfg
  sync
}
# The lab's disks hang on the kernel's own SCSI target (test/lab/rescue/scsi-disks.sh).
target=/sys/kernel/config/target
portal=$target/loopback/naa.6001405000000001/tpgt_1/lun
pull() {
  rm "$portal/lun_$1/disk"
  settle
}
plug_in() {
  ln -s "$target/core/fileio_$1/disk" "$portal/lun_$1/disk"
  settle
}

prepare() {
  sgdisk --new=1:0:+64M --typecode=1:ef00 --partition-guid=1:$one /dev/sda >/dev/null
  sgdisk --new=1:0:+64M --typecode=1:ef00 --partition-guid=1:$two --new=2:0:+1M --typecode=2:ef00 --partition-guid=2:$small /dev/sdb >/dev/null
  settle
  for uuid in $one $two $small; do mkfs.vfat "$(node "$uuid")" >/dev/null; done
  settle
  mkdir -p /boot/efi
  mount -t vfat "$(node $one)" /boot/efi
}

# A program that stands in for mv and ends whoever calls it the Nth time, before or after the rename.
kill_at() {
  mkdir -p /tmp/bin
  echo 0 >/tmp/calls
  cat >/tmp/bin/mv <<STOP
#!/bin/sh
calls=\$((\$(cat /tmp/calls) + 1))
echo \$calls >/tmp/calls
[ $2 = after ] && /bin/mv "\$@"
[ \$calls = $1 ] && kill -9 \$PPID && exit 1
[ $2 = before ] && /bin/mv "\$@"
exit 0
STOP
  chmod 755 /tmp/bin/mv
}
# Every file begins and ends with the word of the time it was written.
say_whole() {
  mkdir -p /mnt/look
  mount -t vfat -o ro "$(node "$2")" /mnt/look
  torn=0
  for file in /mnt/look/EFI/BOOT/*.EFI /mnt/look/EFI/BOOT/*.efi /mnt/look/EFI/debian/*.efi; do
    [ "$(head -n 1 "$file" | cut -d ' ' -f 1) end" = "$(tail -n 1 "$file")" ] || torn=$((torn + 1))
  done
  echo "$1: $(find /mnt/look/EFI -name '*.efi' -o -name '*.EFI' | wc -l) loaders, $torn torn"
  umount /mnt/look
}

first_boot() {
  prepare
  printf '# ours\n%s\n%s\n' $one $two >$list

  sync_esps nothing
  fill first
  sync_esps blank
  say_equal blank $two
  sync_esps again
  fill second
  rm "/boot/efi/EFI/debian/a name.efi"
  mkdir /boot/efi/EFI/debian/fw
  echo new >/boot/efi/EFI/debian/fw/fwupdx64.efi
  sync_esps changed
  say_equal changed $two

  for moment in before after; do
    fill "killed-$moment"
    kill_at 3 $moment
    sync_esps "killed-$moment" env PATH="/tmp/bin:$PATH"
    say_whole "killed-$moment" $two
    sync_esps "rerun-$moment" >/dev/null
    say_equal "rerun-$moment" $two
  done

  # The second disk is pulled, the first gets a new loader, the second comes back.
  pull 1
  fill third
  sync_esps second-pulled
  plug_in 1
  sync_esps second-back
  say_equal second-back $two

  # The same with the disk of /boot/efi, mounted or not.
  pull 0
  sync_esps first-pulled
  findmnt -no SOURCE /boot/efi | grep -c "^$(node $two)$" | sed 's/^/first-pulled: the other is mounted /'
  fill fourth
  umount /boot/efi
  sync_esps first-not-mounted
  umount /boot/efi
  plug_in 0
  mount -t vfat "$(node $one)" /boot/efi
  sync_esps first-back
  head -n 1 /boot/efi/EFI/BOOT/BOOTX64.EFI | sed 's/^/first-back: /'
  say_equal first-back $two

  # GRUB's package was upgraded.
  mkdir -p /usr/lib/grub/x86_64-efi-signed /usr/lib/shim
  echo "newer grub" >/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed
  echo "newer shim" >/usr/lib/shim/shimx64.efi.signed
  cat >/usr/local/bin/grub-install <<'STAND_IN'
#!/bin/sh
echo "grub-install $*"
cp /usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed /boot/efi/EFI/debian/grubx64.efi
cp /usr/lib/shim/shimx64.efi.signed /boot/efi/EFI/debian/shimx64.efi
STAND_IN
  printf '#!/bin/sh\ncat /tmp/states\n' >/usr/local/bin/dpkg-query
  chmod 755 /usr/local/bin/grub-install /usr/local/bin/dpkg-query
  chmod 755 /usr/local/lib/metalcast-loader/renew-loader
  printf 'installed\nunpacked\n' >/tmp/states
  sync_esps half-upgraded
  printf 'installed\ninstalled\n' >/tmp/states
  sync_esps upgraded
  say_equal upgraded $two
  echo "an own loader" >/boot/efi/EFI/debian/grubx64.efi
  sync_esps own-loader
  sed 's/^/own-loader: /' /boot/efi/EFI/debian/grubx64.efi
  rm /usr/local/lib/metalcast-loader/renew-loader

  # Too small for all of it: what was there stays whole.
  printf '%s\n%s\n' $one $small >$list
  fill full
  sync_esps full
  printf '%s\n%s\n' $one $two >$list

  wipefs --all --quiet "$(node $two)"
  before=$(sha256sum <"$(node $two)")
  sync_esps no-file-system
  [ "$before" = "$(sha256sum <"$(node $two)")" ] && echo "no-file-system: untouched"
  mkfs.vfat "$(node $two)" >/dev/null
  sync_esps formatted
  say_equal formatted $two

  printf '%s\n' $two >$list
  sync_esps not-listed
  printf '%s\n%s\n' $one $two >$list

  fill fifth
  sync_esps before-the-cut
  fill sixth
  echo "cut the power when the second file is copied"
  sh "$program"
}

second_boot() {
  settle
  mkdir -p /boot/efi
  mount -t vfat "$(node $one)" /boot/efi
  say_whole cut $two
  printf '%s\n%s\n' $one $two >$list
  sync_esps after-the-cut
  say_equal after-the-cut $two
  fsck.vfat -n "$(node $two)" >/tmp/checked 2>&1
  echo "after-the-cut: check $?"
}

"$1"
