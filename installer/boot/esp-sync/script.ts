import { renewLoaderPath } from "../renew-loader.ts";

/**
 * What the installed server runs to keep its EFI system partitions equal. It needs
 * util-linux, GNU coreutils and findutils, and fsck.vfat where it is installed. It is one constant: which partitions
 * there are lies in the list, and what a family does to renew its loader in a program of its own.
 *
 * A file is replaced by a rename, so that a power cut leaves the old or the new one. On FAT that takes a mount with
 * `dirsync`: Linux writes a renamed file's entry with the file and not with its folder, and by then the old name and the
 * old content's clusters may be free. A cut within the rename leaves two names for the same clusters, which fsck.vfat
 * mends before the next copy. No two ESPs are ever written at the same time, so that one of them is always whole.
 *
 * As md counts events, every ESP counts the runs that missed one of the others: a disk that comes back with old loaders
 * is recognized and does not pass for the first.
 */
export const espSyncScript = `#!/bin/sh
# Keeps this server's EFI system partitions equal, so that each of them boots it. Written by Metalcast's installer.
set -u
umask 077
LC_ALL=C
export LC_ALL
list=/etc/metalcast/esp-partitions
primary=/boot/efi
work=/run/metalcast-esp-sync
# Where firmware looks without being told: UEFI 2.10, section 3.5.1.1.
loader=EFI/BOOT/BOOTX64.EFI
counter=metalcast-missed
suffix=.metalcast-new
status=0

log() {
  echo "metalcast: ESP: $*"
}

problem() {
  log "$*" >&2
  status=1
}

give_up() {
  problem "$@"
  exit 1
}

# The listed partitions that can be used, as device nodes; whether there are others.
find_partitions() {
  present=
  missed=
  for uuid in $(sed 's/#.*//' "$list" | tr A-F a-f); do
    device=$(readlink -f "/dev/disk/by-partuuid/$uuid")
    if ! [ -b "$device" ]; then
      log "the partition $uuid is missing"
      missed=yes
    elif [ "$(blkid --probe --match-tag TYPE --output value "$device")" != vfat ]; then
      problem "$device ($uuid) shows no FAT file system and is left alone; hint: mkfs.vfat -F 32 $device"
      missed=yes
    else
      present="$present $device"
    fi
  done
}

# What is mounted stays as it is. fsck.fat(8): 1 is "recoverable errors", all else but 0 is a failure.
check() {
  if findmnt --source "$1" >/dev/null || ! command -v fsck.vfat >/dev/null; then return; fi
  found=$(fsck.vfat -a "$1" 2>&1)
  case $? in
    0) ;;
    1) log "$1 was checked and repaired" ;;
    *) problem "$1 cannot be repaired: $found" ;;
  esac
}

attach() {
  check "$1"
  mount -t vfat -o umask=0077,nosuid,nodev,noexec,dirsync "$1" "$2"
}

# The ESP that grub-install and others write to: the first one of those that boot, when its own disk is gone.
provide_primary() {
  mounted=$(findmnt --noheadings --output SOURCE --mountpoint "$primary" | tail -n 1)
  if [ -n "$mounted" ]; then
    mounted=$(readlink -f "$mounted")
    case " $present " in *" $mounted "*) return ;; esac
    if [ -b "$mounted" ]; then give_up "$primary is $mounted, which is none of the usable ones in $list"; fi
    log "$mounted is gone, and was $primary"
    umount --lazy "$primary" || exit 1
  fi
  mkdir -p "$primary"
  for mounted in $present; do
    attach "$mounted" "$primary" || continue
    if [ -e "$primary/$loader" ]; then
      log "$primary is now $mounted"
      return
    fi
    umount "$primary"
  done
  give_up "there is none with $loader"
}

attach_others() {
  others=
  for device in $present; do
    if [ "$device" = "$mounted" ]; then continue; fi
    place=$work/\${device##*/}
    mkdir -p "$place"
    if attach "$device" "$place"; then
      others="$others $place"
    else
      problem "$device cannot be mounted"
      missed=yes
    fi
  done
}

missed_runs() {
  count=
  if [ -f "$1/$counter" ]; then read -r count <"$1/$counter"; fi
  case $count in
    '' | *[!0-9]* | 0?* | ??????????*) echo 0 ;;
    *) echo "$count" ;;
  esac
}

choose_source() {
  source=$primary
  for place in $others; do
    if ! [ -e "$place/$loader" ]; then continue; fi
    if ! [ -e "$source/$loader" ] || [ "$(missed_runs "$place")" -gt "$(missed_runs "$source")" ]; then
      source=$place
    fi
  done
  if ! [ -e "$source/$loader" ]; then give_up "none of them holds $loader, nothing is copied"; fi
}

# Content and names, as FAT compares names. What cannot be read equals nothing.
fingerprint() {
  { (cd "$1" && find . -type f -exec cksum {} +) || echo "$1 is unreadable"; } |
    tr '[:upper:]' '[:lower:]' | sort
}

equal() {
  [ "$(fingerprint "$1")" = "$(fingerprint "$2")" ]
}

# Somebody who is still writing is waited for, a minute at most.
wait_until_still() {
  looks=0
  while before=$(fingerprint "$1"); sleep 2; [ "$(fingerprint "$1")" != "$before" ]; do
    looks=$((looks + 1))
    if [ "$looks" = 30 ]; then give_up "$1 does not stop changing"; fi
  done
}

copy_file() {
  folder=\${2%/*}
  if mkdir -p "$folder" && cp --preserve=timestamps "$1" "$2$suffix" && sync "$2$suffix" &&
    mv --force --no-target-directory "$2$suffix" "$2" && sync "$2" "$folder"; then
    log "copied $2"
    return
  fi
  rm -f "$2$suffix"
  return 1
}

copy_files() {
  (cd "$1" && find . -type f ! -path "./$counter" -printf '%P\\n') >"$work/names" || return 1
  while IFS= read -r name; do
    if cmp -s "$1/$name" "$2/$name"; then continue; fi
    copy_file "$1/$name" "$2/$name" || return 1
  done <"$work/names"
}

# By the whole list of what shall be there: a disk that dies meanwhile must not look like an empty one.
remove_extra() {
  (cd "$1" && find . -printf '%y %P\\n') >"$work/kept" || return 1
  (cd "$2" && find . -depth ! -name . -printf '%y %P\\n') >"$work/names" || return 1
  while read -r type name; do
    if grep --fixed-strings --line-regexp --ignore-case --quiet "$type $name" "$work/kept"; then continue; fi
    if [ "$type" = d ]; then rmdir "$2/$name"; else rm -f "$2/$name"; fi
  done <"$work/names"
}

# What is in excess is removed at the end, or earlier if there is no room. The counter comes last: with it, all is there.
make_equal() {
  if equal "$1" "$2"; then return; fi
  wait_until_still "$1"
  tries=0
  until equal "$1" "$2"; do
    tries=$((tries + 1))
    if [ "$tries" = 4 ]; then
      problem "$2 does not become equal to $1"
      return 1
    fi
    if ! copy_files "$1" "$2"; then
      log "$2 takes no more files, what $1 has not is removed first"
      remove_extra "$1" "$2"
      if ! copy_files "$1" "$2"; then
        problem "$2 cannot be made equal to $1"
        return 1
      fi
    fi
    remove_extra "$1" "$2"
    if [ -f "$1/$counter" ]; then copy_file "$1/$counter" "$2/$counter"; fi
  done
  log "$2 is equal to $1"
}

count_missed() {
  echo $(($(missed_runs "$primary") + 1)) >"$work/$counter"
  copy_file "$work/$counter" "$primary/$counter" || problem "$primary cannot be written to"
}

# In a mount namespace of its own, so that nothing stays mounted, however it ends.
synchronize() {
  find "$primary" -type f -name "*$suffix" -delete
  attach_others
  choose_source
  if [ "$source" != "$primary" ]; then
    log "$source was last changed, not $primary"
    mount -o remount,dirsync "$primary" || exit 1
    make_equal "$source" "$primary" || exit 1
  fi
  if [ -x ${renewLoaderPath} ] && ! ${renewLoaderPath}; then
    give_up "the boot loader of $primary cannot be renewed, nothing is copied"
  fi
  if [ -n "$missed" ]; then count_missed; fi
  for place in $others; do
    make_equal "$primary" "$place" || status=1
    umount "$place" || problem "$place cannot be unmounted"
  done
}

main() {
  mkdir -p "$work"
  exec 9>"$work/lock"
  flock 9
  # At a boot, disks may still be on their way.
  udevadm settle --timeout=30
  find_partitions
  provide_primary
  # shellcheck disable=SC2086 # a list of words
  exec unshare --mount sh "$0" inside "$mounted" "$missed" "$status" $present
}

if [ "\${1:-}" = inside ]; then
  mounted=$2 missed=$3 status=$4
  shift 4
  present=$*
  synchronize
  exit "$status"
fi
main
`;
