/**
 * Works on many items, a few at a time. The first failure, of the work or of what gives the items, ends the others, and
 * is thrown once they have come to rest.
 * @param items where they come one by one, the next is asked for when there is somebody to work on it
 * @param work its signal ends it
 */
export async function sideBySide<T>(
  items: Iterable<T> | AsyncIterable<T>,
  { limit, signal }: { limit: number; signal?: AbortSignal },
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const ending = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const failures: unknown[] = [];
  const queue = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const takeTurns = async () => {
    while (!ending.aborted) {
      const { done, value } = await queue.next();
      if (done || ending.aborted) return;
      await work(value, ending);
    }
  };
  const fail = (error: unknown) => {
    failures.push(error);
    failed.abort();
  };
  await Promise.all(Array.from({ length: limit }, () => takeTurns().catch(fail)));
  if (failures.length > 0 || signal?.aborted) await queue.return?.();
  if (failures.length > 0) throw failures[0];
  signal?.throwIfAborted();
}
