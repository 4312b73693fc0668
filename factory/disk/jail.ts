import { mkdtemp, rmdir } from "node:fs/promises";
import type { RunOptions, RunResult } from "../../common/run.ts";
import type { MountNamespace } from "../namespace.ts";

/**
 * What a program that unpacks hostile data can reach: the programs of this machine, read-only, and what is bound. Its
 * root is a file system in memory that ends with it, so a path that escapes from the destination finds nothing.
 */
const script = `
set -eu
jail=$1; shift
mount -t tmpfs -o mode=755,nosuid,nodev,size=4m jail "$jail"
for name in bin sbin lib lib32 lib64 libx32 usr; do
  if [ -L "/$name" ]; then cp -P "/$name" "$jail/$name"
  elif [ -d "/$name" ]; then
    mkdir "$jail/$name"
    mount --bind -o ro "/$name" "$jail/$name"
  fi
done
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then mkdir "$jail/$2"; else : >"$jail/$2"; fi
  mount --bind "$1" "$jail/$2"
  [ "$3" = write ] || mount -o "remount,bind,ro" "$jail/$2"
  shift 3
done
shift
exec chroot "$jail" "$@"
`;

export interface JailBind {
  /** A file or directory, as a path inside the namespace. */
  source: string;
  /** What it is called in the jail's root. */
  name: string;
  access: "read" | "write";
}

/**
 * Runs a program in a jail inside the namespace.
 * @param beside the jail's own empty directory is made beside this one, and removed at the end
 */
export async function runInJail(
  namespace: MountNamespace,
  beside: string,
  binds: readonly JailBind[],
  command: readonly [string, ...string[]],
  options: RunOptions,
): Promise<RunResult> {
  const jail = await mkdtemp(`${beside}.jail-`);
  try {
    const bound = binds.flatMap(({ source, name, access }) => [source, name, access]);
    const args = ["--mount", "--propagation", "private", "sh", "-c", script, "jail", jail, ...bound, "--", ...command];
    return await namespace.run("unshare", args, { ...options, shownAs: command });
  } finally {
    await rmdir(jail);
  }
}
