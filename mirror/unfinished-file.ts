import { createHash } from "node:crypto";
import { constants, type FileHandle, lstat, open, rm } from "node:fs/promises";
import { run } from "../common/run.ts";

/** As flock(1) is told to say that another one holds the lock. */
const heldExitCode = 75;

/** The name of the file that an object is written to before it is one, so that the next writer of the key finds it. */
export function unfinishedName(key: string): string {
  return `${createHash("sha256").update(key).digest("hex").slice(0, 32)}.part`;
}

export const unfinishedPattern = /^[0-9a-f]{32}\.part$/;

/**
 * Opens an unfinished file, as a killed writer left it or new, to read it and to write at its end. It is locked until it
 * is closed, by the kernel, so that the lock of a process that dies goes with it.
 * @returns undefined where another writer is at it
 * @throws what the file system throws; Failure `programs-missing` (configuration) without util-linux
 */
export async function takeUnfinished(path: string): Promise<FileHandle | undefined> {
  for (;;) {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;
    const file = await open(path, flags, 0o644);
    let taken = false;
    try {
      if (!(await lock(file, path))) return undefined;
      taken = await isUnfinished(file, path);
      if (taken) return file;
    } finally {
      if (!taken) await file.close();
    }
  }
}

/** The lock is of the open file, which flock(1) shares with this process: it stays when the program ends (flock(2)). */
async function lock(file: FileHandle, path: string): Promise<boolean> {
  const args = ["--exclusive", "--nonblock", "--conflict-exit-code", String(heldExitCode), "0"];
  const doing = `locking ${path}`;
  const { exitCode } = await run("flock", args, { doing, openInput: file.fd, accept: [0, heldExitCode] });
  return exitCode === 0;
}

/** Not where its writer has come to its end meanwhile, or was killed when it was an object already. */
async function isUnfinished(file: FileHandle, path: string): Promise<boolean> {
  const [held, there] = await Promise.all([
    file.stat({ bigint: true }),
    lstat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    }),
  ]);
  if (there?.ino !== held.ino || there.dev !== held.dev) return false;
  if (held.nlink === 1n) return true;
  await rm(path, { force: true });
  return false;
}
