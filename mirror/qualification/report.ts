import { z } from "zod";
import { archSchema, imageNameSchema, imageVersionSchema, sha256Schema } from "../manifest.ts";

/** What was measured must be within, or be one of. */
const limitSchema = z.object({
  min: z.number().optional(),
  max: z.number().optional(),
  oneOf: z.array(z.string()).optional(),
});

const measurementSchema = z.object({
  /** `read-throughput`, `temperature-max`. */
  name: z.string(),
  /** Of what: an interface, a disk, a sensor. */
  subject: z.string().optional(),
  value: z.union([z.number(), z.string()]),
  /** `MB/s`, `°C`, `%`; none for words and for counts. */
  unit: z.string().optional(),
  limit: limitSchema.optional(),
  /** Within its limit, where it has one. */
  ok: z.boolean(),
});

/** How something went over the time of an item. */
const seriesSchema = z.object({
  name: z.string(),
  unit: z.string(),
  /** Seconds since the item began, and the value. */
  points: z.array(z.tuple([z.number(), z.number()])),
});

const itemSchema = z.object({
  name: z.string(),
  title: z.string(),
  outcome: z.enum(["passed", "failed", "skipped"]),
  /** Why it failed or was skipped, on one line. */
  reason: z.string().optional(),
  startedAt: z.iso.datetime(),
  durationMs: z.number().nonnegative(),
  measurements: z.array(measurementSchema),
  series: z.array(seriesSchema),
});

const hostSchema = z.object({
  vendor: z.string(),
  model: z.string(),
  serial: z.string(),
  firmware: z.string(),
  cpu: z.object({ model: z.string(), count: z.number().int().nonnegative(), microcode: z.string() }),
  memoryBytes: z.number().int().nonnegative(),
  kernel: z.string(),
  system: z.string(),
  disks: z.array(z.object({ name: z.string(), model: z.string(), serial: z.string(), sizeBytes: z.number() })),
  interfaces: z.array(z.object({ name: z.string(), mac: z.string(), driver: z.string() })),
});

/** A word such as `quick` or `r640-nvme`. */
export const profileNameSchema = z.string().regex(/^[\w.-]{1,64}$/, "expected a word such as quick");

/** What `metalcast qualify` found on one server: `report.json`. */
export const qualificationReportSchema = z.looseObject({
  formatVersion: z.literal(1),
  outcome: z.enum(["passed", "failed", "interrupted"]),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  host: hostSchema,
  /** What the server was installed from, as far as that is known. */
  image: z
    .object({
      name: imageNameSchema,
      arch: archSchema,
      version: imageVersionSchema,
      /** An image that was never published has none. */
      manifestSha256: sha256Schema.optional(),
    })
    .optional(),
  /** The SHA-256 is that of the profile with all its defaults, as JSON. */
  profile: z.object({ name: profileNameSchema, sha256: sha256Schema }),
  /** Only some items of the profile were run, which qualifies nothing. */
  partial: z.boolean(),
  items: z.array(itemSchema),
});

export type QualificationReport = z.infer<typeof qualificationReportSchema>;
export type QualifiedItem = z.infer<typeof itemSchema>;
export type QualifiedHost = z.infer<typeof hostSchema>;
export type QualifiedImage = NonNullable<QualificationReport["image"]>;
export type Measurement = z.infer<typeof measurementSchema>;
export type Limit = z.infer<typeof limitSchema>;
export type Series = z.infer<typeof seriesSchema>;

/** Of a server whose firmware does not say. */
export const unknownHardware = "unknown";

/** As a server is named in lists: "Dell Inc. PowerEdge R640". On one line, and without what cannot be seen. */
export function hardwareName({ vendor, model }: Pick<QualifiedHost, "vendor" | "model">): string {
  return `${vendor} ${model}`.replace(/[\s\p{C}]+/gu, " ").trim() || unknownHardware;
}
