#!/bin/sh
# Proves that the image is no customer's: whoever gets it could else use that customer's subscription.
set -eu
failed=0
for leftover in /etc/pki/consumer/*.pem /etc/pki/consumer.old/* /etc/pki/entitlement/*.pem /etc/sysconfig/rhn/systemid; do
  [ -s "$leftover" ] || continue
  echo "the image is still registered: there is $leftover" >&2
  failed=1
done
# Without a registration dnf's plugin makes this file, too: of comments alone.
if grep -qs '^[^#[:space:]]' /etc/yum.repos.d/redhat.repo; then
  echo "the image is still registered: there is /etc/yum.repos.d/redhat.repo" >&2
  failed=1
fi
if [ -x /usr/sbin/subscription-manager ] && /usr/sbin/subscription-manager identity >/dev/null 2>&1; then
  echo "the image is still registered: subscription-manager knows its identity" >&2
  failed=1
fi
# Written without a registration as well; of one, the journal has the key in it.
rm -rf /var/log/rhsm/* /var/lib/rhsm/cache/* /var/lib/rhsm/facts/*
exit "$failed"
