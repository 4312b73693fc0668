#!/bin/sh
# prepare.sh [PACKAGE...]: installs what the lab, the tests and the demo need on a Debian 12 machine, and these packages.
# Does nothing, quickly, where all is there.
set -eu
cd "$(dirname "$0")/../.."

packages="acl attr btrfs-progs busybox-static chromium cloud-init cpio curl db5.3-util dosfstools e2fsprogs efibootmgr fdisk fio fonts-dejavu-core gdisk gnupg gpgv grub-common iperf3 iproute2 iputils-ping kmod
  libcap2-bin lvm2 lz4 mdadm mmdebstrap mount mtools nginx-light openssh-client openssh-server openssl ovmf packer procps python3
  qemu-system-x86 qemu-utils rpm rsync shellcheck smartmontools socat stress-ng systemd tcc time udev user-mode-linux util-linux xfsprogs xorriso
  xz-utils zstd $*"

fail() {
  echo "prepare: $1" >&2
  echo "hint: $2" >&2
  exit 3
}

[ "$(id -u)" = 0 ] || fail "the lab makes disks and network namespaces, which only root may" "run this as root, in a machine that you can spare"
. /etc/os-release 2>/dev/null || true
[ "${ID:-}" = debian ] && [ "${VERSION_ID:-}" = 12 ] ||
  fail "the lab runs on Debian 12, this is ${PRETTY_NAME:-another system}" "use a virtual machine with Debian 12"

missing=
for package in $packages; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
  echo "prepare: installing$missing" >&2
  # The tests use cloud-init's modules as a library; what is installed for them must not configure this machine at its next start.
  case "$missing " in
  *" cloud-init "*)
    mkdir -p /etc/cloud
    touch /etc/cloud/cloud-init.disabled
    ;;
  esac
  # Programs are wanted, no services: 101 is "action forbidden by policy" (invoke-rc.d(8)). A policy of the machine's own stays.
  policy=/usr/sbin/policy-rc.d
  if [ -e "$policy" ]; then policy=; else printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"; fi
  log=$(mktemp)
  trap 'rm -f "$log" $policy' EXIT
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086 # a list of words
  { apt-get update -qq && apt-get install -qq --no-install-recommends $missing; } >"$log" 2>&1 </dev/null || {
    tail -n 20 "$log" >&2
    fail "apt-get could not install$missing" "check the package sources of this machine with: apt-get update"
  }
fi

if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo "prepare: npm ci" >&2
  npm ci --no-progress --loglevel=error >&2
  touch node_modules/.package-lock.json
fi
