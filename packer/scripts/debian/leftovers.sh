#!/bin/sh
# Removes what apt, debconf and snap left.
set -eu
rm -f /etc/default/*.ucf-* /etc/default/*.dpkg-*
# Where the image was booted to be customized, packages' scripts could write it, for that machine's disk.
rm -f /boot/grub/grub.cfg

# A name that one machine was given; by this word open-iscsi makes another at its next start.
if [ -f /etc/iscsi/initiatorname.iscsi ]; then echo GenerateName=yes >/etc/iscsi/initiatorname.iscsi; fi

apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/lib/dpkg/*-old
rm -rf /var/lib/snapd/cache/* /var/cache/snapd/*
