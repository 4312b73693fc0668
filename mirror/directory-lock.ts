import { run } from "../common/run.ts";

/**
 * Runs `work` while nobody else on this machine holds the lock on a file. flock(1) holds it: the kernel lets go of it
 * when this process dies, so that there are no stale locks.
 * @throws Failure `programs-missing` (configuration) without util-linux
 */
export async function withLock<T>(path: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const taken = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  async function* untilDone() {
    yield Buffer.from("taken\n");
    await done.promise;
  }
  const holder = run("flock", [path, "cat"], {
    doing: `locking ${path}`,
    input: untilDone(),
    onLine: () => taken.resolve(),
    ...(signal === undefined ? {} : { signal }),
  });
  try {
    await Promise.race([taken.promise, holder]);
    return await work();
  } finally {
    done.resolve();
    await holder;
  }
}
