#!/bin/bash
# ceph-s3-install.sh DIRECTORY: unpacks Ceph's RADOS gateway and what it needs, Debian forky's packages, into
# DIRECTORY. Nothing is installed on the machine: the programs run through their own loader (see ceph-s3.ts).
# Debian 12's own Ceph 16 fails at multipart uploads with If-None-Match, hence a newer release.
set -euo pipefail
directory=$1
[ ! -d "$directory" ] || exit 0
mkdir -p "$(dirname "$directory")"

# Test files start side by side: the first one unpacks, the others wait for it.
exec 9>"$directory.lock"
flock 9
[ ! -d "$directory" ] || exit 0

work=$(mktemp -d "$directory.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/apt/{lists,cache/archives}/partial "$work/packages" "$work"/root/usr/{bin,sbin,lib,lib64}
for link in bin sbin lib lib64; do ln -s "usr/$link" "$work/root/$link"; done
: >"$work/apt/status"

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror forky main" >"$work/apt/sources.list"
cat >"$work/apt/apt.conf" <<END
Dir::Etc::sourcelist "$work/apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State "$work/apt";
Dir::State::lists "$work/apt/lists";
Dir::State::status "$work/apt/status";
Dir::Cache "$work/apt/cache";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
END
export APT_CONFIG=$work/apt/apt.conf
apt-get -qq update

cd "$work/packages"
apt-get --simulate install radosgw ceph-mon ceph-osd |
  awk '/^Inst (lib|radosgw|ceph-|python3)/ { print $2 }' |
  grep -vE '^(ceph-volume|libperl|libsystemd-shared)' |
  xargs apt-get -qq download
for package in *.deb; do dpkg-deb --extract "$package" "$work/root"; done
mv "$work/root" "$directory"
