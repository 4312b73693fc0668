#!/bin/sh
# Labels all files by the image's own SELinux policy: where /etc/shadow has no label, nobody may log in.
# The last script: what is written after it has no label.
set -eu
[ -f /etc/selinux/config ] || exit 0
setting() { sed -n "s/^[[:space:]]*$1=[[:space:]]*\([a-z]*\).*/\1/p" /etc/selinux/config | tail -n 1; }
[ "$(setting SELINUX)" != disabled ] || exit 0
contexts=/etc/selinux/$(setting SELINUXTYPE)/contexts/files/file_contexts

label() {
  # Other file systems have no labels of this policy; /boot may be one of its own that has, and is named for that.
  set -- "$@" -F -e /dev -e /proc -e /run -e /sys -e /tmp -e /boot/efi "$contexts" /
  ! mountpoint -q /boot || set -- "$@" /boot
  setfiles "$@" >/dev/null 2>&1 || return 1
  case "$(stat --format=%C /etc/shadow 2>/dev/null)" in *:*) ;; *) return 1 ;; esac
}
# A kernel that runs SELinux says in /proc/mounts what can have labels. Another one does not, and setfiles(8) must not
# look there: -m, which Red Hat 7 does not know.
if [ -e /sys/fs/selinux/enforce ]; then set --; else set -- -m; fi
if [ -f "$contexts" ] && command -v setfiles >/dev/null && label "$@"; then
  rm -f /.autorelabel
else
  # Inside the fence nobody may write labels. The server then does it at its first start, and starts once more.
  echo "SELinux labels cannot be written here: the server writes them at its first start"
  : >/.autorelabel
fi
