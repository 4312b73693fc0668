import { z } from "zod";

const text = z.string().max(255);

/** A server's id, as it stands in the job and in addresses. */
export const instanceIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "expected an instance id such as a UUID");

/** What the installed server sends: one JSON object, made by script.ts. Loose: fields of later versions are kept. */
export const reportSchema = z.looseObject({
  version: z.literal(1),
  instanceId: instanceIdSchema,
  hostname: text,
  sshd: z.enum(["answers", "absent"]),
  /** What sshd answered with, as ssh shows it: `SHA256:...`. */
  sshHostKeys: z.array(z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}$/)).max(32),
  /** `removed`: it was there when this boot began. `unknown`: it left no result. */
  cloudInit: z.enum(["done", "error", "removed", "absent", "disabled", "unknown"]),
  /** Seconds from the start of the kernel until a person could log in. */
  bootSeconds: z.number().nonnegative(),
  bootId: z.uuid(),
});

/** What an operator may know of an expected server. */
export const serverSchema = z.object({
  instanceId: instanceIdSchema,
  expectedAt: z.iso.datetime(),
  reportedAt: z.iso.datetime().optional(),
  report: reportSchema.optional(),
});

export type PhoneHomeReport = z.infer<typeof reportSchema>;
export type ExpectedServer = z.infer<typeof serverSchema>;
