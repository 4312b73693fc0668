#!/bin/sh
# The first thing that runs in a guest: waits until its boot is over, and makes a folder that no disk ever holds.
#   GUEST_USER  who is logged in
set -eu
! command -v cloud-init >/dev/null || cloud-init status --wait >/dev/null || :
# These would hold the package manager's lock, and update what nobody asked for.
for unit in apt-daily apt-daily-upgrade dnf-makecache packagekit; do
  systemctl stop "$unit.timer" "$unit.service" 2>/dev/null || :
done
systemctl stop unattended-upgrades.service 2>/dev/null || :
mkdir -m 700 /run/metalcast
chown "$GUEST_USER" /run/metalcast
