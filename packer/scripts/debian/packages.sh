#!/bin/sh
# Installs what metal needs and removes what only a cloud needs.
set -eu

cleanup() {
  rm -f /usr/sbin/policy-rc.d
}
trap cleanup EXIT
# No service starts in an image. 101: "action forbidden by policy" (Debian Policy 9.3.3, invoke-rc.d).
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d

# The installer writes GRUB's configuration and its boot sectors: here there is no disk to write them for.
rm -f /boot/grub/grub.cfg
debconf-set-selections <<END
grub-pc grub-pc/install_devices multiselect
grub-pc grub-pc/install_devices_empty boolean true
grub-efi grub-efi/install_devices multiselect
grub-efi grub-efi/install_devices_empty boolean true
END

# One initramfs at the end is enough: INITRD is for the kernel's own hook, the setting for all other packages.
export INITRD=No
if [ -f /etc/initramfs-tools/update-initramfs.conf ]; then
  sed -i 's/^update_initramfs=.*/update_initramfs=no/' /etc/initramfs-tools/update-initramfs.conf
fi

# Both formats of sources.list(5).
for component in $ADD_COMPONENTS; do
  find /etc/apt -type f \( -name "*.list" -o -name "*.sources" \) -exec sed -i -E \
    "/^(Components:|deb(-src)? )/ { /[[:space:]]$component([[:space:]]|\$)/! s/\$/ $component/ }" {} +
done

removals=""
for pattern in $REMOVE_PACKAGES; do
  for package in $(dpkg-query --show --showformat '${Package}/${db:Status-Status}\n' "$pattern" 2>/dev/null |
    sed -n 's,/installed$,,p'); do
    removals="$removals $package"
  done
done

apt() {
  apt-get --quiet --assume-yes --option Dpkg::Use-Pty=0 --option Dpkg::Options::=--force-confold \
    --option Dpkg::Options::=--force-unsafe-io "$@"
}
apt update
if [ -n "$removals" ]; then
  # Debian's grub-cloud takes the vendor's settings (its serial console) with it, which the other GRUB shall have.
  settings=$(mktemp)
  [ ! -f /etc/default/grub ] || cp -p /etc/default/grub "$settings"
  # shellcheck disable=SC2086
  apt purge $removals
  [ ! -s "$settings" ] || cp -p "$settings" /etc/default/grub
  rm -f "$settings"
fi

additions=""
for package in $ADD_PACKAGES; do
  # It hooks cryptsetup into initramfs-tools; dracut does that by itself.
  [ "$package" = cryptsetup-initramfs ] && command -v dracut >/dev/null && continue
  additions="$additions $package"
done
# shellcheck disable=SC2086
UCF_FORCE_CONFFOLD=1 apt install --no-install-recommends $additions
apt autoremove --purge

# Ubuntu's cloud kernel is the hardware one without most of its drivers: one that is older than today's would stay.
kept=0
for modules in /lib/modules/*; do
  kernel=${modules##*/}
  [ -e "/boot/vmlinuz-$kernel" ] || continue
  if [ -n "$(find "$modules/" -name 'megaraid_sas.ko*')" ]; then
    kept=$((kept + 1))
  else
    apt purge "$(dpkg-query --search "/boot/vmlinuz-$kernel" | sed 's/[,:].*//')"
  fi
done
if [ "$kept" = 0 ]; then
  echo "no kernel has the drivers of servers: add the hardware kernel's package to the image's catalog file" >&2
  exit 1
fi
