import { z } from "zod";
import { asFailure, type Failure } from "./failure.ts";

const failureSchema = z.object({ code: z.string(), message: z.string(), hint: z.string().optional() });

const common = {
  version: z.literal(1),
  time: z.iso.datetime(),
  /** Which of several operations side by side in one stream it belongs to: `debian-12`. */
  scope: z.string().optional(),
};
const step = { step: z.string() };

/**
 * Contract 3: all that an operation has to say while it runs, one JSON line each. Every start gets a finish or a
 * failure, on a crash too. Renderers (terminal, plain log, JSON lines) subscribe to the same stream.
 */
export const eventSchema = z.discriminatedUnion("kind", [
  z.object({ ...common, kind: z.literal("operation-started"), operation: z.string(), subject: z.string() }),
  z.object({ ...common, kind: z.literal("operation-finished"), operation: z.string(), durationMs: z.number() }),
  z.object({
    ...common,
    kind: z.literal("operation-failed"),
    operation: z.string(),
    durationMs: z.number(),
    failure: failureSchema,
  }),
  z.object({ ...common, ...step, kind: z.literal("step-started"), title: z.string() }),
  z.object({
    ...common,
    ...step,
    kind: z.literal("step-progress"),
    bytes: z.number(),
    totalBytes: z.number().optional(),
    bytesPerSecond: z.number(),
  }),
  z.object({ ...common, ...step, kind: z.literal("step-finished"), durationMs: z.number() }),
  z.object({ ...common, ...step, kind: z.literal("step-failed"), durationMs: z.number(), failure: failureSchema }),
  /** `step`: whose program said it. */
  z.object({ ...common, kind: z.literal("note"), step: z.string().optional(), text: z.string() }),
]);

export type Event = z.infer<typeof eventSchema>;
export type Emit = (event: Event) => void;

/** Counts bytes inside a step; an event leaves at most every half second. */
export type Advance = (bytes: number, totalBytes?: number) => void;

const stamp = () => ({ version: 1, time: new Date().toISOString() }) as const;

const describe = ({ code, message, hint }: Failure) => ({ code, message, ...(hint === undefined ? {} : { hint }) });

/** Runs one operation (a build, an installation) between its `operation-started` and its finish or failure. */
export async function reportOperation<T>(
  emit: Emit,
  { operation, subject }: { operation: string; subject: string },
  work: () => Promise<T>,
): Promise<T> {
  const startedAt = performance.now();
  const durationMs = () => Math.round(performance.now() - startedAt);
  emit({ ...stamp(), kind: "operation-started", operation, subject });
  try {
    const result = await work();
    emit({ ...stamp(), kind: "operation-finished", operation, durationMs: durationMs() });
    return result;
  } catch (error) {
    const failure = asFailure(error, operation);
    emit({ ...stamp(), kind: "operation-failed", operation, durationMs: durationMs(), failure: describe(failure) });
    throw failure;
  }
}

/**
 * Runs one step between its `step-started` and its finish or failure. `step` is its stable name, `title` is for people.
 */
export async function reportStep<T>(
  emit: Emit,
  { step, title }: { step: string; title: string },
  work: (advance: Advance) => Promise<T>,
): Promise<T> {
  const startedAt = performance.now();
  const durationMs = () => Math.round(performance.now() - startedAt);
  emit({ ...stamp(), kind: "step-started", step, title });
  let lastProgressAt = 0;
  const advance: Advance = (bytes, totalBytes) => {
    const elapsedMs = performance.now() - startedAt;
    if (elapsedMs - lastProgressAt < 500) return;
    lastProgressAt = elapsedMs;
    const bytesPerSecond = Math.round((bytes / elapsedMs) * 1000);
    emit({
      ...stamp(),
      kind: "step-progress",
      step,
      bytes,
      ...(totalBytes === undefined ? {} : { totalBytes }),
      bytesPerSecond,
    });
  };
  try {
    const result = await work(advance);
    emit({ ...stamp(), kind: "step-finished", step, durationMs: durationMs() });
    return result;
  } catch (error) {
    const failure = asFailure(error, title);
    emit({ ...stamp(), kind: "step-failed", step, durationMs: durationMs(), failure: describe(failure) });
    throw failure;
  }
}

/** A line for people that belongs to no step's life, such as a script's output or a warning. `step`: whose it is. */
export function note(emit: Emit, text: string, step?: string): void {
  emit({ ...stamp(), kind: "note", ...(step !== undefined && { step }), text });
}

/** Marks all that an operation says as its own, for a stream that others share. */
export function withScope(emit: Emit, scope: string): Emit {
  return (event) => emit({ ...event, scope });
}
