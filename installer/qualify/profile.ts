import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { Failure } from "../../common/failure.ts";
import { parseDuration, parseSize } from "../../common/units.ts";
import { profileNameSchema } from "../../mirror/index.ts";
import { builtInProfiles } from "./built-in-profiles.ts";

const count = z.number().int().nonnegative();
const limit = z.number().nonnegative();
const absolute = z.string().regex(/^\/[^\0]*$/, "expected an absolute path");
/** A word that goes into a program's arguments: never an option. */
const word = z.string().regex(/^[\w.:%][\w.:%-]*$/, "expected a name or an address");

const pattern = z.string().refine(isPattern, "expected a regular expression");

/** Seconds. */
const duration = z.string().transform((text, context) => read(text, (value) => parseDuration(value) / 1000, context));
/** Bytes. */
const size = z.string().transform((text, context) => read(text, parseSize, context));

const common = { required: z.boolean().default(false) };

const itemSchemas = {
  "network-links": z.strictObject({
    ...common,
    /** Default: every card whose link is up. */
    interfaces: z.array(word).optional(),
    minSpeedMbps: limit.optional(),
    maxNewErrors: count.default(0),
  }),
  "network-peer": z.strictObject({
    ...common,
    /** Where `iperf3 --server` runs. */
    peer: word.optional(),
    port: z.number().int().min(1).max(65535).default(5201),
    duration: duration.prefault("10 s"),
    minThroughputMbps: limit.optional(),
    pings: z.number().int().min(1).max(100_000).default(50),
    maxLossPercent: limit.default(0),
    maxRoundTripMs: limit.optional(),
    /** Of the path, with IP's header. */
    minMtu: z.number().int().min(576).max(65_535).optional(),
  }),
  "network-bonds": z.strictObject({ ...common, bonds: z.array(word).optional(), mode: z.string().optional() }),
  compute: z.strictObject({
    ...common,
    duration: duration.prefault("60 s"),
    maxTemperature: limit.optional(),
    maxThrottled: count.optional(),
    minFrequencyMhz: limit.optional(),
  }),
  memory: z.strictObject({
    ...common,
    duration: duration.prefault("60 s"),
    /** Of what is available. */
    percent: z.number().min(1).max(95).default(50),
    maxCorrectedErrors: count.default(0),
    maxUncorrectedErrors: count.default(0),
  }),
  "disk-io": z.strictObject({
    ...common,
    /** Folders of the file systems that are written to; a folder of ours is made in each, and removed. */
    folders: z.array(absolute).default(["/var/tmp"]),
    /** Whole disks or partitions that are overwritten: only those that are named here, and that nothing holds. */
    overwriteDevices: z.array(absolute).default([]),
    size: size.prefault("256 MiB"),
    duration: duration.prefault("30 s"),
    minReadMegabytes: limit.optional(),
    minWriteMegabytes: limit.optional(),
    minRandomReads: limit.optional(),
    minRandomWrites: limit.optional(),
    maxLatencyMs: limit.optional(),
  }),
  "disk-health": z.strictObject({
    ...common,
    /** Default: all disks. */
    disks: z.array(absolute).optional(),
    maxReallocated: count.default(0),
    maxPending: count.default(0),
    maxMediaErrors: count.default(0),
    maxTemperature: limit.optional(),
  }),
  "disk-arrays": z.strictObject({
    ...common,
    /** Reads every member and compares: hours on large disks. Default: only the arrays' state. */
    check: z.boolean().default(false),
    maxMismatches: count.default(0),
  }),
  virtualization: z.strictObject({
    ...common,
    /** Default: the running one, /boot/vmlinuz-RELEASE. */
    kernel: absolute.optional(),
    timeLimit: duration.prefault("60 s"),
    /** The guest may start without /dev/kvm. */
    emulation: z.boolean().default(false),
    nested: z.boolean().optional(),
    minIommuGroups: count.optional(),
  }),
  clock: z.strictObject({
    ...common,
    duration: duration.prefault("10 s"),
    synchronized: z.boolean().default(true),
    /** Of the clock against the kernel's steady one, which is corrected alike: where they part, somebody has set it. */
    maxStepMs: limit.default(100),
    /** Of the server's own oscillator. */
    maxFrequencyErrorPpm: limit.optional(),
    maxOffsetMs: limit.optional(),
    maxRtcOffsetSeconds: limit.default(60),
  }),
  inventory: z.strictObject({
    ...common,
    vendor: z.string().optional(),
    model: z.string().optional(),
    firmware: z.array(z.string()).optional(),
    maxKernelErrors: count.default(0),
    /** Kernel messages that are known and harmless. */
    allowKernelErrors: z.array(pattern).default([]),
    maxFailedUnits: count.default(0),
    allowFailedUnits: z.array(pattern).default([]),
    maxDevicesWithoutDriver: count.optional(),
    /** PCI devices, as "8086:a1ed", that need no driver. */
    allowWithoutDriver: z.array(z.string()).default([]),
  }),
};

export const profileSchema = z.strictObject({
  name: profileNameSchema,
  items: z
    .strictObject(itemSchemas)
    .partial()
    .refine((items) => Object.keys(items).length > 0, "expected at least one item"),
});

export type Profile = z.infer<typeof profileSchema>;
export type ItemName = keyof typeof itemSchemas;
export type Settings<Name extends ItemName> = z.infer<(typeof itemSchemas)[Name]>;

export const itemNames = Object.keys(itemSchemas).filter((name) => isItemName(name));

export function isItemName(name: string): name is ItemName {
  return Object.hasOwn(itemSchemas, name);
}

/**
 * @param source a profile's file (YAML), or `quick` or `full`
 * @throws Failure `profile-unreadable`, `profile-invalid` (configuration)
 */
export async function loadProfile(source: string): Promise<Profile> {
  if (source === "quick" || source === "full") return profileSchema.parse(builtInProfiles[source]);
  let value: unknown;
  try {
    value = parseYaml(await readFile(source, "utf8"));
  } catch (error) {
    throw new Failure({
      code: "profile-unreadable",
      kind: "configuration",
      message: `reading the profile ${source}: ${error instanceof Error ? error.message.split("\n")[0] : error}`,
      hint: "give a YAML file, or one of the built-in profiles: quick, full",
      cause: error,
    });
  }
  const parsed = profileSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "(whole)"}: ${message}`);
  throw new Failure({
    code: "profile-invalid",
    kind: "configuration",
    message: `${source} is not a valid profile: ${problems.join("; ")}`,
    hint: "see docs/qualify.md for every field",
    data: { problems },
  });
}

/** Of the profile with all its defaults: the same limits have the same digest. */
export function digestProfile(profile: Profile): string {
  return createHash("sha256").update(JSON.stringify(profile)).digest("hex");
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}

function read(text: string, parse: (text: string) => number, context: z.RefinementCtx): number {
  try {
    return parse(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: error instanceof Error ? error.message : String(error) });
    return z.NEVER;
  }
}
