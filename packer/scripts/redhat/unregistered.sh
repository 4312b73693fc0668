#!/bin/sh
# Proves that the image is no customer's: whoever gets it could else use that customer's subscription.
set -eu
failed=0
for leftover in /etc/pki/consumer/*.pem /etc/pki/consumer.old/* /etc/pki/entitlement/*.pem /etc/yum.repos.d/redhat.repo \
  /var/lib/rhsm/cache/* /var/log/rhsm/* /etc/sysconfig/rhn/systemid; do
  [ -s "$leftover" ] || continue
  echo "the image is still registered: there is $leftover" >&2
  failed=1
done
if [ -x /usr/sbin/subscription-manager ] && /usr/sbin/subscription-manager identity >/dev/null 2>&1; then
  echo "the image is still registered: subscription-manager knows its identity" >&2
  failed=1
fi
rm -rf /var/log/rhsm/*
exit "$failed"
