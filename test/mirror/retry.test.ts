import { expect, test } from "vitest";
import { Failure, type FailureKind } from "../../common/failure.ts";
import { withRetries } from "../../mirror/retry.ts";

const failing = (kind: FailureKind) => new Failure({ code: "some-code", kind, message: "no" });

/** Fails so often, then succeeds. */
function failTimes(times: number, kind: FailureKind = "retry") {
  let calls = 0;
  const work = async () => {
    calls += 1;
    if (calls <= times) throw failing(kind);
    return "done";
  };
  return { work, calls: () => calls };
}

test("what comes back in time is done, and each failure is told", async () => {
  const { work, calls } = failTimes(2);
  const pauses: number[] = [];
  const told = withRetries(work, { retryDelayMs: 8, onRetry: (_failure, pauseMs) => pauses.push(pauseMs) });
  expect(await told).toBe("done");
  expect(calls()).toBe(3);
  // They double, and are shortened by half at most.
  expect(pauses).toHaveLength(2);
  expect(pauses[0]).toSatisfy((pause: number) => pause >= 4 && pause <= 8);
  expect(pauses[1]).toSatisfy((pause: number) => pause >= 8 && pause <= 16);
});

test("what does not is given up, with its own failure", async () => {
  const { work, calls } = failTimes(3);
  await expect(withRetries(work, { retryDelayMs: 1 })).rejects.toMatchObject({ code: "some-code", kind: "retry" });
  expect(calls()).toBe(3);
});

test.each(["integrity", "configuration", "failed"] as const)(
  "a failure of kind %s is not tried again",
  async (kind) => {
    const { work, calls } = failTimes(1, kind);
    await expect(withRetries(work)).rejects.toMatchObject({ kind });
    expect(calls()).toBe(1);
  },
);

test("a pause ends when it is interrupted", async () => {
  const interrupt = new AbortController();
  const { work } = failTimes(1);
  const onRetry = () => queueMicrotask(() => interrupt.abort());
  const waiting = withRetries(work, { retryDelayMs: 60_000, signal: interrupt.signal, onRetry });
  await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
});
