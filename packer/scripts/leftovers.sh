#!/bin/sh
# Removes what every vendor's image may have of the cloud and the machine it was made for.
set -eu

# Words of the kernel's command line: a root on RAID has no partition, subvolume or volume group that the vendor could
# name (dracut activates those that are named and no others, dracut.cmdline(7)), a server has nothing to resume from, and
# NICs get names that stay (systemd.net-naming-scheme(7)). The serial console stays.
words='(root(flags|fstype)?|rd\.(lvm\.(lv|vg)|md\.uuid|luks\.uuid)|resume|net\.ifnames|biosdevname|cloud-init)=[^ "'"'"']*'

# GRUB's settings are read by a shell; what chooses the root by its partition goes as a whole line.
find /etc/default -path '/etc/default/grub*' -type f -exec sed -i -E \
  -e '/^[[:space:]]*GRUB_CMDLINE/ s/(["'"'"' =])'"$words"'/\1/g' \
  -e '/^[[:space:]]*(GRUB_DEVICE|GRUB_DISABLE_LINUX_(PART)?UUID|GRUB_FORCE_PARTUUID)/d' {} +
for file in /etc/kernel/cmdline /boot/loader/entries/*.conf; do
  [ ! -f "$file" ] || sed -i -E "s/(^|[[:space:]])$words/\1/g" "$file"
done
rm -f /boot/grub/device.map /boot/grub2/device.map

# Rules that give NICs their old names, or those of one machine.
rm -f /etc/udev/rules.d/70-persistent-net.rules
for rule in /etc/udev/rules.d/80-net-name-slot.rules /etc/udev/rules.d/80-net-setup-link.rules \
  /etc/systemd/network/99-default.link; do
  if [ "$(readlink "$rule" || :)" = /dev/null ]; then rm -f "$rule"; fi
done

# The installer writes the file systems of the target.
: >/etc/fstab
