import { systemCallFilter } from "./system-call-filter.ts";

/** What the fence is made with, on the rescue system. */
export const fencePrograms = ["chroot", "cp", "env", "mount", "perl", "setpriv", "unshare"];

/**
 * Each command has two process namespaces, one in the other. The first process of the outer one is unshare itself, which
 * ends when its parent does; that of the inner one is the image's program, which could ask not to. With the outer one's
 * first process, all in both of them end (pid_namespaces(7)).
 */
const outer = ["--pid", "--fork", "--kill-child"];
const inner = ["--mount", "--propagation", "private", "--pid", "--fork", "--ipc", "--uts"];

/** @param network whether the programs have the rescue system's network, and none otherwise */
export function namespaces(network: boolean): string[] {
  return [...outer, "unshare", ...inner, ...(network ? [] : ["--net"])];
}

/**
 * What the programs of packages, boot loaders and initramfs generators need: capabilities(7). Without the others no program
 * can make a device node, mount, load a module, set the clock, restart the machine, or look into another's memory.
 */
const kept = [
  "chown",
  "dac_override",
  "fowner",
  "fsetid",
  "kill",
  "setgid",
  "setuid",
  "setpcap",
  "setfcap",
  "sys_chroot",
  "audit_write",
];

/**
 * Puts the program in a session of its own, where it has no terminal whose input it could forge, and under the filter of
 * system calls: setsid(2) is 112, prctl(2) 157, PR_SET_SECCOMP 22, SECCOMP_MODE_FILTER 2.
 */
const confine = `
my $filter = pack "H*", shift;
my $program = pack "S x![P] P", length($filter) / 8, $filter;
syscall(112) >= 0 or die "no session: $!";
syscall(157, 22, 2, $program) == 0 or die "no filter of system calls: $!";
exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!";
`;

/** @param administers whether the program keeps CAP_SYS_ADMIN, of which the filter leaves little */
export function confinement(administers: boolean): string[] {
  const capabilities = [...kept, ...(administers ? ["sys_admin"] : [])].map((name) => `+${name}`).join(",");
  const filter = systemCallFilter().toString("hex");
  return ["perl", "-e", confine, filter, "setpriv", "--inh-caps=-all", `--bounding-set=-all,${capabilities}`];
}

/**
 * Builds what the program sees, around the target, and moves that onto /: no way leads up and out of it, as in
 * switch_root(8). pivot_root(2) would refuse to in a rescue system that lives in its initramfs. Nothing of the image has run
 * before the last line. Lists are separated by line breaks.
 *   TARGET  GROUP  a control group, or nothing   PLACES  the target's mounts   NODES  devices and links
 *   POLICY  RESOLVER  files of the target to cover, or nothing   SCRIPT  yes: standard input is /run/metalcast/script
 */
export const fenceScript = `
set -eu
cd "$TARGET"
echo localhost >/proc/sys/kernel/hostname
# Where memory runs short, these go before the installer.
echo 1000 >/proc/self/oom_score_adj
if [ -n "$GROUP" ]; then echo 0 >"$GROUP/cgroup.procs"; fi
IFS='
'
set -f
# Nodes that the image brings open nothing.
for place in $PLACES; do mount -o remount,bind,nodev "$place"; done
mount -t tmpfs -o mode=755,size=64m,nosuid,noexec dev dev
mkdir dev/pts dev/shm
cp --archive --parents /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty $NODES .
ln -s /proc/self/fd dev
ln -s pts/ptmx dev/ptmx
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t proc -o ro,nosuid,nodev,noexec proc proc
mount --bind dev/null proc/cmdline
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
for folder in sys/firmware/dmi sys/firmware/qemu_fw_cfg; do
  if [ -d "$folder" ]; then mount -t tmpfs -o ro,size=4k none "$folder"; fi
done
mount -t tmpfs -o mode=755,size=64m,nosuid,nodev run run
mkdir -p run/lock run/metalcast
cover() {
  case $2 in
    '') ;;
    run/*) mkdir -p "\${2%/*}" && cp "$1" "$2" ;;
    *) mount --bind "$1" "$2" ;;
  esac
}
printf '#!/bin/sh\\nexit 101\\n' >run/metalcast/policy-rc.d
chmod 755 run/metalcast/policy-rc.d
cover run/metalcast/policy-rc.d "$POLICY"
if [ -n "$RESOLVER" ] && [ -e /etc/resolv.conf ]; then
  cat /etc/resolv.conf >run/metalcast/resolv.conf
  cover run/metalcast/resolv.conf "$RESOLVER"
fi
if [ -n "$SCRIPT" ]; then
  cat >run/metalcast/script
  exec </dev/null
fi
mount --move . /
exec env -i "$@"
`;
