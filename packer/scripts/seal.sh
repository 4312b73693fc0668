#!/bin/sh
# Takes away what must differ on every server, and the traces of the build. In a guest it runs twice.
set -eu
# Empty and not "uninitialized": that would count as a first boot, which resets what services start (machine-id(5)).
: >/etc/machine-id
rm -f /var/lib/dbus/machine-id /etc/hostname
# Secrets and identities that are made anew where they are missing.
rm -f /etc/ssh/ssh_host_* /var/lib/systemd/random-seed /var/lib/systemd/credential.secret
rm -f /var/lib/NetworkManager/secret_key /etc/nvme/hostid /etc/nvme/hostnqn
rm -rf /var/lib/cloud/* /var/tmp/* /root/.cache /root/.bash_history
rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
find /var/log -type f -delete
# Each of its folders has a machine's identifier for a name.
rm -rf /var/log/journal/*
# ldconfig rebuilds its cache, and it differs from build to build.
rm -rf /var/cache/ldconfig
