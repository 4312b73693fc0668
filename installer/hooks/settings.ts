import { z } from "zod";
import { parseDuration } from "../../common/units.ts";

const timeoutSchema = z.string().transform((text, context) => {
  try {
    const timeoutMs = parseDuration(text);
    if (timeoutMs > 0) return timeoutMs;
  } catch {
    // Told below.
  }
  context.addIssue({ code: "custom", message: `"${text}" is not a time limit: write for example "10 min"` });
  return z.NEVER;
});

const fields = {
  /** For people: the script's path, as the job file has it. */
  name: z.string().regex(/^\P{Cc}+$/u, "expected a name on one line"),
  content: z
    .string()
    .regex(/^#![ \t]*\/\S/, "expected a script whose first line names its interpreter, such as #!/bin/sh"),
  timeout: timeoutSchema.prefault("10 min"),
};

/** In the rescue system, as one of its own programs. */
const rescueHookSchema = z
  .strictObject(fields)
  .transform(({ timeout, ...hook }) => ({ ...hook, timeoutMs: timeout, network: true }));

/** In the target, behind the fence. */
const targetHookSchema = z
  .strictObject({ ...fields, network: z.boolean().default(false) })
  .transform(({ timeout, ...hook }) => ({ ...hook, timeoutMs: timeout }));

/** The user's own scripts, by when they run. Of each list, one after the other. */
export const hooksSchema = z.strictObject({
  /** The storage is made and mounted, and empty. */
  afterPartitioning: z.array(rescueHookSchema).default([]),
  /** The image is laid and configured; its initramfs and its boot menu are not made yet. */
  afterLaying: z.array(targetHookSchema).default([]),
  /** All is there but the boot loaders. */
  beforeReboot: z.array(targetHookSchema).default([]),
});

export type HookPoint = keyof z.infer<typeof hooksSchema>;
