/**
 * Works on many items, a few at a time. The first failure ends the others, and is thrown once they have come to rest.
 * @param work its signal ends it
 */
export async function sideBySide<T>(
  items: Iterable<T>,
  { limit, signal }: { limit: number; signal?: AbortSignal },
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const ending = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const failures: unknown[] = [];
  const queue = [...items].values();
  const takeTurns = async () => {
    for (const item of queue) {
      if (ending.aborted) return;
      await work(item, ending).catch((error: unknown) => {
        failures.push(error);
        failed.abort();
      });
    }
  };
  await Promise.all(Array.from({ length: limit }, takeTurns));
  if (failures.length > 0) throw failures[0];
  signal?.throwIfAborted();
}
