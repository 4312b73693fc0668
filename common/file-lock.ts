import { Failure } from "./failure.ts";
import { run } from "./run.ts";

export interface LockOptions {
  /** What to throw, instead of waiting, while somebody else holds the lock. */
  ifHeld?: () => Failure;
  /** Ends the wait for the lock. It takes no lock from work that is coming to its end. */
  signal?: AbortSignal | undefined;
}

/** Of flock(1) where the lock is held; no exit code of cat(1) is like it. */
const heldExitCode = 75;

/** What cat(1) gives back once it holds the lock. */
const takenLine = "taken";

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
  const waiting = new AbortController();
  const giveUp = () => waiting.abort();
  if (signal?.aborted) giveUp();
  signal?.addEventListener("abort", giveUp);
  async function* untilDone() {
    yield Buffer.from(`${takenLine}\n`);
    await done.promise;
  }
  const atOnce = ifHeld ? ["--nonblock", "--conflict-exit-code", String(heldExitCode)] : [];
  const holder = run("setsid", ["flock", ...atOnce, path, "cat"], {
    doing: `locking ${path}`,
    input: untilDone(),
    // flock's own complaint is a line as well.
    onLine: (line) => line === takenLine && taken.resolve(),
    signal: waiting.signal,
  }).catch((error: unknown) => {
    throw ifHeld && error instanceof Failure && error.data.exitCode === heldExitCode ? ifHeld() : error;
  });
  try {
    await Promise.race([taken.promise, holder]);
    signal?.removeEventListener("abort", giveUp);
    // Taken and given up in the same moment.
    if (waiting.signal.aborted) await holder;
    return await work();
  } finally {
    signal?.removeEventListener("abort", giveUp);
    done.resolve();
    await holder;
  }
}
