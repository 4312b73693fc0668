import { Failure } from "./failure.ts";
import { run } from "./run.ts";

export interface LockOptions {
  /** What to throw, instead of waiting, while somebody else holds the lock. */
  ifHeld?: () => Failure;
  signal?: AbortSignal | undefined;
}

/** Of flock(1) where the lock is held; no exit code of cat(1) is like it. */
const heldExitCode = 75;

/**
 * Runs `work` while nobody else on this machine holds the lock on a file. flock(1) holds it: the kernel lets go of it
 * when this process dies, so that there are no stale locks. In a session of its own, since a Ctrl-C at the terminal
 * would take the lock from work that is still coming to its end.
 * @throws Failure `programs-missing` (configuration) without util-linux
 */
export async function withLock<T>(path: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  const { ifHeld, signal } = options;
  const taken = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  async function* untilDone() {
    yield Buffer.from("taken\n");
    await done.promise;
  }
  const waiting = ifHeld ? ["--nonblock", "--conflict-exit-code", String(heldExitCode)] : [];
  const holder = run("setsid", ["flock", ...waiting, path, "cat"], {
    doing: `locking ${path}`,
    input: untilDone(),
    onLine: () => taken.resolve(),
    ...(signal === undefined ? {} : { signal }),
  }).catch((error: unknown) => {
    throw ifHeld && error instanceof Failure && error.data.exitCode === heldExitCode ? ifHeld() : error;
  });
  try {
    await Promise.race([taken.promise, holder]);
    return await work();
  } finally {
    done.resolve();
    await holder;
  }
}
