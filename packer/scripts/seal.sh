#!/bin/sh
# Takes away what must differ on every server, and the traces of the build. Each family's last script.
set -eu
: >/etc/machine-id
rm -f /var/lib/dbus/machine-id /var/lib/systemd/random-seed /etc/hostname
rm -f /etc/ssh/ssh_host_*
rm -rf /var/lib/cloud/* /var/tmp/* /root/.cache /root/.bash_history
rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
find /var/log -type f -delete
# ldconfig rebuilds its cache, and it differs from build to build.
rm -rf /var/cache/ldconfig
