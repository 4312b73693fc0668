#!/bin/sh
# Installs what metal needs and removes what only a cloud needs.
set -eu

# Its exit codes above 99 tell of a success (zypper(8)): 102 wants a restart of the machine, 103 one of zypper itself.
# Those from 104 on tell of what was not found, not reached or not configured.
transact() {
  outcome=0
  zypper --non-interactive "$@" || outcome=$?
  case "$outcome" in
  0 | 102 | 103) ;;
  *) exit "$outcome" ;;
  esac
}

transact refresh

set -f
changes=""
for package in $ADD_PACKAGES; do
  # "NAME?" is wanted where this version of the distribution has it.
  name=${package%\?}
  if [ "$name" != "$package" ]; then
    zypper --non-interactive --quiet search --match-exact "$name" | grep -qwF "$name" || continue
  fi
  changes="$changes $name"
done
for pattern in $REMOVE_PACKAGES; do
  for name in $(rpm --query --all --queryformat '%{NAME}\n' "$pattern" | sort -u); do
    changes="$changes !$name"
  done
done

# At once: kernel-default and kernel-default-base shut each other out.
# shellcheck disable=SC2086
transact install --no-recommends --auto-agree-with-licenses -- $changes
set +f

kept=0
for modules in /lib/modules/*; do
  if [ -n "$(find "$modules/" -name 'megaraid_sas.ko*')" ]; then kept=$((kept + 1)); fi
done
if [ "$kept" = 0 ]; then
  echo "no kernel has the drivers of servers: kernel-default was not installed" >&2
  exit 1
fi
transact clean --all
