#!/bin/sh
# The first thing that runs inside the fence: gives the script this machine's name resolution, if it has one, and takes
# it away again.
# The image's own file is often a link to what a running systemd-resolved writes.
set -eu
restore() {
  rm -f /etc/resolv.conf
  if [ -e /etc/resolv.conf.vendor ] || [ -L /etc/resolv.conf.vendor ]; then
    mv /etc/resolv.conf.vendor /etc/resolv.conf
  fi
}
if [ -e /run/metalcast/resolv.conf ]; then
  if [ -e /etc/resolv.conf ] || [ -L /etc/resolv.conf ]; then
    mv /etc/resolv.conf /etc/resolv.conf.vendor
  fi
  trap restore EXIT
  cp /run/metalcast/resolv.conf /etc/resolv.conf
fi
/bin/sh -eu "$1"
