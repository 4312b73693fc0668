#!/bin/sh
# Runs one provisioning script inside the vendor's tree, with nothing of this machine in reach but its network.
# Started in mount, process, IPC and UTS namespaces of its own: all mounts below end with it.
#   TREE  the tree, mounted        $1  the script        ACTIVATION_KEY_FILE  a secret, or nothing
set -eu
fence=$(dirname "$(realpath "$0")")
script=$(realpath "$1")
cd "$TREE"

# A link here would lead the mounts below astray, onto this machine's own folders.
for directory in dev proc run sys tmp; do
  if [ -L "$directory" ] || [ ! -d "$directory" ]; then
    echo "the tree's /$directory is not a directory" >&2
    exit 1
  fi
done

mount -t proc -o nosuid,nodev,noexec proc proc
mount -t tmpfs -o mode=0755,nosuid,noexec tmpfs dev
mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs run
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs tmp
mount -t tmpfs -o mode=0555,ro tmpfs sys

# Nodes of its own: on a mount of the machine's /dev, a file handle could open every other device.
for device in null zero full random urandom; do cp --archive "/dev/$device" dev; done
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
mkdir -p dev/shm dev/pts
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
ln -s pts/ptmx dev/ptmx

mkdir -p run/lock run/metalcast/sources
cp "$script" run/metalcast/script
cp "$fence/inside.sh" run/metalcast/inside
# A machine without one has no name resolution to give.
[ ! -e /etc/resolv.conf ] || cp -L /etc/resolv.conf run/metalcast/resolv.conf
: >run/metalcast/apt.conf
if [ -n "${APT_SOURCES:-}" ]; then
  cp "$APT_SOURCES" run/metalcast/sources/
  cat >run/metalcast/apt.conf <<END
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "/run/metalcast/sources";
END
fi
[ -z "${APT_CONFIGURATION:-}" ] || cat "$APT_CONFIGURATION" >>run/metalcast/apt.conf
mkdir -m 700 run/metalcast/secrets
[ -z "${ACTIVATION_KEY_FILE:-}" ] || install -m 600 "$ACTIVATION_KEY_FILE" run/metalcast/secrets/activation-key

hostname localhost

# Moving the tree onto / leaves no way up and out of it, as in switch_root(8). What packages' scripts do needs these
# capabilities; without the others no script can make or open a device, mount, load a module or trace a process.
mount --move . /
exec setpriv --inh-caps=-all \
  --bounding-set=-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+setfcap,+sys_chroot,+audit_write \
  chroot . /usr/bin/env -i \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
  DEBIAN_FRONTEND=noninteractive APT_CONFIG=/run/metalcast/apt.conf \
  ADD_COMPONENTS="$ADD_COMPONENTS" ADD_PACKAGES="$ADD_PACKAGES" REMOVE_PACKAGES="$REMOVE_PACKAGES" \
  RHSM_ORGANIZATION="$RHSM_ORGANIZATION" \
  /bin/sh -eu /run/metalcast/inside /run/metalcast/script </dev/null
