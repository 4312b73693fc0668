import { readdir, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type RunOptions, run } from "../../common/run.ts";
import type { Step } from "../step.ts";

/**
 * The image's own programs run behind this fence: private mount, pid, ipc, uts and network namespaces; of /dev the
 * harmless nodes and the target's own disks; /sys read-only; an empty /run; none of our environment. All of it vanishes
 * with the last process.
 */
const script = `
set -eu
target=$1; shift
mount -t tmpfs -o mode=755,nosuid,noexec dev "$target/dev"
mkdir "$target/dev/pts" "$target/dev/shm"
cp --archive --parents /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty "$target"
while [ "$1" != -- ]; do cp --archive --parents "$1" "$target"; shift; done
shift
ln -s /proc/self/fd "$target/dev/fd"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$target/dev/pts"
ln -s pts/ptmx "$target/dev/ptmx"
mount -t proc -o nosuid,nodev,noexec proc "$target/proc"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$target/sys"
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$target/run"
exec chroot "$target" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root DEBIAN_FRONTEND=noninteractive "$@"
`;

const namespaces = [
  "--mount",
  "--pid",
  "--ipc",
  "--uts",
  "--net",
  "--fork",
  "--kill-child",
  "--propagation",
  "private",
];

type RunInTarget = Extract<Step, { kind: "run-in-target" }>;

/**
 * Runs the image's programs in the target, one after the other. The first gets the step's `input`, if there is one.
 * @throws Failure `command-failed`
 */
export async function runInTarget(step: RunInTarget, options: RunOptions): Promise<void> {
  const devices = await nodesAndLinks(step.devices);
  for (const [index, command] of step.commands.entries()) {
    const input = index === 0 && step.input !== undefined ? { input: step.input } : {};
    const args = ["sh", "-c", script, "fence", step.target, ...devices, "--", ...command];
    await run("unshare", [...namespaces, ...args], {
      ...options,
      ...input,
      killSignal: "SIGKILL",
      shownAs: ["chroot", step.target, ...command],
    });
  }
}

/**
 * The device nodes behind stable paths, and every link in their own folders, below /dev/disk and in /dev/mapper that
 * leads to one of them: grub-probe looks for those by UUID.
 */
async function nodesAndLinks(paths: readonly string[]): Promise<string[]> {
  const nodes = new Set(await Promise.all(paths.map((path) => realpath(path))));
  const directories = ["by-id", "by-uuid", "by-partuuid", "by-label"].map((name) => `/dev/disk/${name}`);
  const links = await Promise.all([...new Set([...directories, "/dev/mapper", ...paths.map(dirname)])].map(listLinks));
  const owned = await Promise.all(links.flat().map(async (link) => ((await leadsTo(link, nodes)) ? link : undefined)));
  return [...nodes, ...owned.filter((link) => link !== undefined)];
}

async function listLinks(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isSymbolicLink()).map(({ name }) => join(directory, name));
}

async function leadsTo(link: string, nodes: ReadonlySet<string>): Promise<boolean> {
  return nodes.has(await realpath(link).catch(() => ""));
}
