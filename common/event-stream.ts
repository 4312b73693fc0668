import type { Emit, Event } from "./event.ts";

/**
 * Turns work that emits events into a stream of them. An error of the work is thrown to the reader after its last
 * event; a reader that leaves early aborts the work and waits for its end.
 */
export async function* eventStream(
  work: (emit: Emit, abandoned: AbortSignal) => Promise<void>,
): AsyncGenerator<Event, void> {
  const events: Event[] = [];
  const reader = new AbortController();
  let wake = () => {};
  let finished = false;
  const emit: Emit = (event) => {
    events.push(event);
    wake();
  };
  const outcome = work(emit, reader.signal)
    .then(
      () => ({ ok: true }) as const,
      (error: unknown) => ({ ok: false, error }) as const,
    )
    .finally(() => {
      finished = true;
      wake();
    });
  try {
    while (!finished || events.length > 0) {
      const event = events.shift();
      if (event) {
        yield event;
        continue;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    if (!finished) reader.abort();
    await outcome;
  }
  const result = await outcome;
  if (!result.ok) throw result.error;
}
