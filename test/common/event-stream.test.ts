import { expect, test } from "vitest";
import { type Event, eventSchema, note, reportOperation, reportStep } from "../../common/event.ts";
import { eventStream } from "../../common/event-stream.ts";
import { Failure } from "../../common/failure.ts";

const operation = { operation: "installation", subject: "debian-12" };

async function collect(stream: AsyncIterable<Event>): Promise<{ events: Event[]; error?: unknown }> {
  const events: Event[] = [];
  try {
    for await (const event of stream) events.push(eventSchema.parse(event));
    return { events };
  } catch (error) {
    return { events, error };
  }
}

test("yields what the work emits, in order, and ends with it", async () => {
  const { events, error } = await collect(
    eventStream((emit) => reportOperation(emit, operation, async () => note(emit, "half way"))),
  );
  expect(error).toBeUndefined();
  expect(events.map(({ kind }) => kind)).toEqual(["operation-started", "note", "operation-finished"]);
});

test("every start gets a failure where the work throws, and the error reaches the reader after them", async () => {
  const thrown = new Failure({ code: "disk-held", kind: "refused", message: "no", hint: "umount" });
  const { events, error } = await collect(
    eventStream((emit) =>
      reportOperation(emit, operation, () =>
        reportStep(emit, { step: "wipe", title: "wipe" }, () => Promise.reject(thrown)),
      ),
    ),
  );
  expect(error).toBe(thrown);
  expect(events.map(({ kind }) => kind)).toEqual([
    "operation-started",
    "step-started",
    "step-failed",
    "operation-failed",
  ]);
  expect(events.at(-1)).toMatchObject({ failure: { code: "disk-held", hint: "umount" } });
});

test("a reader that leaves early aborts the work and waits for its end", async () => {
  let ended = false;
  const stream = eventStream(async (emit, abandoned) => {
    note(emit, "first");
    await new Promise((resolve) => abandoned.addEventListener("abort", resolve));
    ended = true;
  });
  for await (const _event of stream) break;
  expect(ended).toBe(true);
});
