import { open, statfs } from "node:fs/promises";
import { Failure } from "../../common/failure.ts";
import { type RunOptions, run } from "../../common/run.ts";
import type { MountNamespace } from "../namespace.ts";
import { runInJail } from "./jail.ts";

export interface WorkTreeOptions {
  namespace: MountNamespace;
  /** The sparse file to make. */
  file: string;
  /** Where to mount it: an existing directory. */
  directory: string;
  sizeBytes: number;
  signal?: AbortSignal;
}

/** Of a work tree's size only what is written takes room, so it is sized for the worst: compressed content, many packages. */
const leastTreeBytes = 16 * 2 ** 30;

/** @param usedBytes what the content takes where it is now, perhaps compressed; or of an archive, its compressed size */
export function workTreeBytes(usedBytes: number): number {
  return Math.ceil((leastTreeBytes + 5 * usedBytes) / 4096) * 4096;
}

/**
 * Makes an empty ext4 in a sparse file and mounts it for writing, without its lost+found. It needs no journal: after
 * a crash it is thrown away.
 * @throws Failure `command-failed`, `interrupted`
 */
export async function createWorkTree({
  namespace,
  file,
  directory,
  sizeBytes,
  signal,
}: WorkTreeOptions): Promise<void> {
  const options = signal ? { signal } : {};
  await using handle = await open(file, "wx");
  await handle.truncate(sizeBytes);
  // An attribute may be larger than a block (xfs allows 64 KiB), and source trees hold many small files.
  const features = ["-O", "^has_journal,ea_inode", "-i", "8192", "-m", "0"];
  const lazy = ["-E", "lazy_itable_init=1,nodiscard"];
  await run("mke2fs", ["-q", "-F", "-t", "ext4", "-b", "4096", ...features, ...lazy, file], {
    doing: "making the work tree",
    ...options,
  });
  await namespace.mount({
    source: file,
    directory,
    type: "ext4",
    options: ["noatime", "errors=remount-ro"],
    ...options,
  });
  await namespace.run("rmdir", [`${directory}/lost+found`], { doing: "emptying the work tree", ...options });
}

/** All that a tree is: its attributes too, and owners by number, since names are those of another machine. */
const keep = ["--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls"];

/**
 * Copies a tree with everything mounted in it, and all that tar can keep of it. Sockets are passed over, and the
 * root's lost+found; so are btrfs's own properties, which mean nothing elsewhere.
 * @param from and @param to directories inside the namespace
 * @throws Failure `tree-full` (failed), `command-failed`, `interrupted`
 */
export async function copyTree(
  namespace: MountNamespace,
  from: string,
  to: string,
  options: { signal?: AbortSignal } = {},
): Promise<void> {
  const format = ["--format=posix", "--sparse", "--xattrs-exclude=btrfs.*", "--warning=no-file-ignored"];
  const what = ["--anchored", "--exclude=./lost+found", "."];
  await namespace.run("tar", ["--create", "--file=-", `--directory=${from}`, ...keep, ...format, ...what], {
    doing: "reading the image's tree",
    consume: (bytes) => unpackArchive(namespace, bytes, to, options),
    ...options,
  });
}

/**
 * Unpacks an archive of a root file system. tar runs in a jail with nothing but the tree in it: whatever an archive's
 * links and names lead to, nothing outside the tree can change.
 * @param bytes a plain tar archive
 * @param to an empty directory inside the namespace
 * @throws Failure `tree-full` (failed), `command-failed`, `interrupted`
 */
export async function unpackArchive(
  namespace: MountNamespace,
  bytes: AsyncIterable<Uint8Array>,
  to: string,
  { signal }: { signal?: AbortSignal } = {},
): Promise<void> {
  const options: RunOptions = { doing: "unpacking into the work tree", input: bytes, ...(signal && { signal }) };
  // Labels are attributes like others, but archives can hold them in a form of their own.
  const command = ["tar", "--extract", "--file=-", "--directory=/tree", "--same-owner", "--same-permissions"] as const;
  try {
    const binds = [{ source: to, name: "tree", access: "write" }] as const;
    await runInJail(namespace, to, binds, [...command, ...keep, "--selinux"], options);
    // A write that fails late, on a full disk below the sparse file, is told here.
    await namespace.run("sync", ["--file-system", to], { doing: "writing the work tree", ...(signal && { signal }) });
  } catch (error) {
    throw (await isFull(namespace.path(to))) ? treeFull(error) : error;
  }
}

/** tar tells of a short write as of any other; what is left of the file system tells the reason. */
async function isFull(directory: string): Promise<boolean> {
  const left = await statfs(directory).catch(() => undefined);
  return left !== undefined && (left.bavail < 16 || left.ffree === 0);
}

function treeFull(cause: unknown): Failure {
  return new Failure({
    code: "tree-full",
    kind: "failed",
    message: "unpacking into the work tree: no space left on it",
    hint: "the image is larger than it seemed: was it made to fill disks?",
    cause,
  });
}
