import { z } from "zod";
import { Failure } from "../../common/failure.ts";
import { type Channels, type ImagePlace, imagePrefix } from "../channel.ts";
import { imageVersionSchema, sha256Schema } from "../manifest.ts";
import type { ListedFile } from "../sync/read-statement.ts";

/** Of a report: hours of samples of a large server are a tenth of it. */
export const reportLimitBytes = 16 * 2 ** 20;

/** Characters of the hardware's name. */
export const hardwareLimit = 200;

/** What the signed list of an image says of one report that is kept with a version. */
const entrySchema = z.looseObject({
  /** "Dell Inc. PowerEdge R640": see hardwareName. */
  hardware: z.string().min(1).max(hardwareLimit),
  /** Name of the profile, and the digest of its limits. */
  profile: z.string().min(1).max(64),
  profileSha256: sha256Schema,
  outcome: z.enum(["passed", "failed"]),
  /** When the qualification ended. */
  at: z.iso.datetime(),
  reportSha256: sha256Schema,
  reportBytes: z.number().int().positive().max(reportLimitBytes),
});

/** Beside the versions, so that it stays with one that is retired and published again. */
const markSchema = z.looseObject({ qualified: z.record(imageVersionSchema, z.array(entrySchema)).optional() });

export type QualifiedEntry = z.infer<typeof entrySchema>;

/**
 * All reports that are kept with a version, in the order in which they were recorded.
 * @throws Failure `channels-invalid` (integrity)
 */
export function qualifiedOf(channels: Channels, version: string): readonly QualifiedEntry[] {
  const all = readAll(channels);
  return Object.hasOwn(all, version) ? (all[version] ?? []) : [];
}

/** The same list, with one more report; as it was where it has that report already. */
export function addQualified(channels: Channels, version: string, entry: QualifiedEntry): Channels {
  const former = qualifiedOf(channels, version);
  if (former.some(({ reportSha256 }) => reportSha256 === entry.reportSha256)) return channels;
  return { ...channels, qualified: { ...readAll(channels), [version]: [...former, entry] } };
}

/** The same list, without the reports of versions whose objects are gone. */
export function forgetQualified(channels: Channels, versions: ReadonlySet<string>): Channels {
  const left = Object.entries(readAll(channels)).filter(([version]) => !versions.has(version));
  const { qualified: _, ...rest } = channels;
  return left.length > 0 ? { ...rest, qualified: Object.fromEntries(left) } : rest;
}

/** Of each hardware and profile the newest report, which is what counts; by hardware, then profile. */
export function newestQualified(entries: readonly QualifiedEntry[]): QualifiedEntry[] {
  const newest = new Map<string, QualifiedEntry>();
  for (const entry of entries) {
    const name = JSON.stringify([entry.hardware, entry.profile]);
    const former = newest.get(name);
    if (!former || Date.parse(entry.at) >= Date.parse(former.at)) newest.set(name, entry);
  }
  return [...newest].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
}

/** A report's name below its version's folder. */
export function reportName(sha256: string): string {
  return `qualified-${sha256}.json`;
}

/** The files of a version's reports, as the signed list vouches for them. */
export function listReports(
  place: ImagePlace,
  version: string,
  entries: readonly Pick<QualifiedEntry, "reportSha256" | "reportBytes">[],
): ListedFile[] {
  return entries.map(({ reportSha256, reportBytes }) => ({
    key: `${imagePrefix(place)}${version}/${reportName(reportSha256)}`,
    sizeBytes: reportBytes,
    sha256: reportSha256,
  }));
}

function readAll(channels: Channels): Readonly<Record<string, readonly QualifiedEntry[]>> {
  const parsed = markSchema.safeParse(channels);
  if (parsed.success) return parsed.data.qualified ?? {};
  throw new Failure({
    code: "channels-invalid",
    kind: "integrity",
    message: `reading what versions were qualified on: ${z.prettifyError(parsed.error).replaceAll("\n", " ")}`,
    cause: parsed.error,
  });
}
