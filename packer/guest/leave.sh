#!/bin/sh
# The last thing that runs in a guest: takes away what its one boot has left, the way in too, and switches it off.
#   GUEST_USER  who is logged in
set -eu
# Packer does not come back to take it away.
rm -f "$0"

# What cloud-init wrote for this machine's network; each of these files names it in its first lines.
grep -rls cloud-init /etc/netplan /etc/network/interfaces.d /etc/NetworkManager/system-connections \
  /etc/sysconfig/network /etc/sysconfig/network-scripts /etc/systemd/network | while read -r file; do
  rm -f "$file"
done
# Name servers of this machine's network. Where it is a link, what it leads to is in memory.
if [ -f /etc/resolv.conf ] && [ ! -L /etc/resolv.conf ]; then : >/etc/resolv.conf; fi
rm -f /etc/udev/rules.d/70-persistent-net.rules
rm -f /var/lib/systemd/timers/* /var/lib/systemd/timesync/clock
rm -rf /var/lib/dhcp/*.lease* /var/lib/dhclient/* /var/lib/NetworkManager/*lease*

rm -f /etc/sudoers.d/90-cloud-init-users
if [ "$GUEST_USER" = root ]; then
  rm -f /root/.ssh/authorized_keys
  rmdir /root/.ssh 2>/dev/null || :
else
  userdel --force --remove "$GUEST_USER" 2>/dev/null
  rm -f "/var/lib/sudo/lectured/$GUEST_USER"
fi

# What still writes logs writes them to memory from now on.
systemctl stop rsyslog.service syslog.socket auditd.service 2>/dev/null || :
journalctl --relinquish-var 2>/dev/null || :
/bin/sh -eu /run/metalcast/seal.sh

# Where it is no file system in memory, what ran has left folders of its own there.
rm -rf /tmp/* /tmp/.[!.]*
sync
# All processes are killed and all file systems unmounted, but no service is stopped first: it would write its state
# into the image again, such as the seed of its random numbers (systemctl(1), --force).
systemctl --force poweroff
