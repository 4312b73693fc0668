/**
 * Works on the next item while the present one is in use: one item ahead, no more.
 * @param leave ends what the source waits for, once nobody wants more
 */
export async function* readAhead<T>(
  source: AsyncGenerator<T, void, undefined>,
  leave: () => void,
): AsyncGenerator<T, void, undefined> {
  let ahead = source.next();
  try {
    for (;;) {
      const { done, value } = await ahead;
      if (done) return;
      ahead = source.next();
      // Its failure is for whoever awaits it: nobody, where the reader has gone.
      ahead.catch(() => undefined);
      yield value;
    }
  } finally {
    leave();
    await source.return();
  }
}
