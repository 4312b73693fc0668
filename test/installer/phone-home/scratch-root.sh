#!/bin/sh
# DIRECTORY HOSTNAME: runs the phone home as its unit would, as process of a small root of its own: /usr is the machine's,
# under an overlay that takes the changes; /etc, /run and /var hold what the test put there.
set -eu
directory=$1
root=$directory/root
mount -t overlay overlay -o "lowerdir=/usr,upperdir=$directory/usr,workdir=$directory/work" "$root/usr"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
printf %s "$2" >/proc/sys/kernel/hostname
enter() {
  env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin chroot "$root" "$@"
}
enter /bin/sh -c 'until [ -e /run/start-sshd ]; do sleep 0.1; done; exec /usr/sbin/sshd -D' &
if [ -e "$root/var/lib/cloud/instance/scripts/part-001" ]; then enter /var/lib/cloud/instance/scripts/part-001 & fi
enter $(sed -n 's/^ExecStart=//p' "$root/etc/systemd/system/metalcast-phone-home.service")
