#!/bin/sh
# Installs what metal needs and removes what only a cloud needs. Red Hat's own packages come from the user's
# subscription: the image is registered for this script only.
set -eu
key=/run/metalcast/secrets/activation-key
manager=/usr/sbin/subscription-manager

# The key goes from its file into the memory of subscription-manager: its arguments are for all to see, and D-Bus, the
# other way in, has no service to answer here.
register() {
  interpreter=$(sed -n '1s/^#! *\([^ ]*\).*/\1/p' "$manager")
  case "$interpreter" in
  *python*) ;;
  *)
    echo "$manager is no program in Python that this script could register the image with" >&2
    exit 1
    ;;
  esac
  "$interpreter" - "$manager" "$RHSM_ORGANIZATION" "$key" <<END
import runpy, sys
program, organization, key = sys.argv[1:]
with open(key) as file:
    secret = file.read().strip()
sys.argv = [program, "register", "--name", "metalcast-build", "--org", organization, "--activationkey", secret]
runpy.run_path(program, run_name="__main__")
END
}

# The journal of its requests has the key in their addresses.
unregister() {
  outcome=$?
  trap - EXIT
  "$manager" unregister || outcome=1
  "$manager" clean || outcome=1
  rm -rf /var/log/rhsm/* /etc/pki/consumer.old /etc/yum.repos.d/redhat.repo /var/lib/rhsm/cache/* /var/lib/rhsm/facts/*
  rm -f /etc/pki/entitlement/*.pem /etc/pki/consumer/*.pem
  exit "$outcome"
}

# dnf from Red Hat 8 on, yum in 7.
if command -v dnf >/dev/null; then
  packager() { dnf --assumeyes --quiet --setopt=install_weak_deps=False "$@"; }
  is_offered() { [ -n "$(packager repoquery "$1")" ]; }
else
  packager() { yum --assumeyes --quiet "$@"; }
  is_offered() { packager list available "$1" >/dev/null 2>&1; }
fi

if [ -s "$key" ]; then
  if [ -z "$RHSM_ORGANIZATION" ]; then
    echo "there is an activation key, but no organization it belongs to" >&2
    exit 1
  fi
  trap unregister EXIT
  trap 'exit 130' HUP INT TERM
  register
elif grep -q '^ID="\?rhel"\?$' /etc/os-release && [ -z "$(packager repolist)" ]; then
  echo "Red Hat Enterprise Linux has no repositories without a subscription: give an activation key" >&2
  exit 1
fi

# kernel-install(8) takes a new kernel's arguments from here, and where this is missing from the machine that runs it.
if [ -d /boot/loader/entries ] && [ ! -s /etc/kernel/cmdline ] && [ -f /etc/default/grub ]; then
  mkdir -p /etc/kernel
  sed -n 's/^GRUB_CMDLINE_LINUX="\(.*\)"$/\1/p' /etc/default/grub >/etc/kernel/cmdline
fi

set -f
removals=""
for pattern in $REMOVE_PACKAGES; do
  for name in $(rpm --query --all --queryformat '%{NAME}\n' "$pattern" | sort -u); do
    removals="$removals $name"
  done
done
additions=""
for package in $ADD_PACKAGES; do
  # "NAME?" is wanted where this version of the distribution has it.
  name=${package%\?}
  if [ "$name" != "$package" ]; then
    rpm --query --quiet "$name" || is_offered "$name" || continue
  fi
  additions="$additions $name"
done
set +f

# shellcheck disable=SC2086
packager install $additions
# yum succeeds when it does not know one of several packages.
for package in $additions; do
  if ! rpm --query --quiet --whatprovides "$package"; then
    echo "the package $package was not installed: no repository of the image has it" >&2
    exit 1
  fi
done
# shellcheck disable=SC2086
[ -z "$removals" ] || packager remove $removals

# A cloud image has the core of the kernel only; one that is older than today's has no drivers to add, and goes.
kept=0
for modules in /lib/modules/*; do
  kernel=${modules##*/}
  [ -e "$modules/modules.dep" ] || continue
  if [ -n "$(find "$modules/" -name 'megaraid_sas.ko*')" ]; then
    kept=$((kept + 1))
  else
    # By rpm itself: dnf protects the kernel that runs, which in a guest is this one. Tools and headers have the kernel's
    # version too, and stay.
    # shellcheck disable=SC2046
    rpm --erase $(rpm --query --all kernel kernel-core 'kernel-modules*' 'kernel-uek*' | grep -F -- "-$kernel")
  fi
done
if [ "$kept" = 0 ]; then
  echo "no kernel has the drivers of servers: add the hardware kernel's package to the image's catalog file" >&2
  exit 1
fi
packager clean all
