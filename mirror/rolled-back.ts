import { z } from "zod";
import { Failure } from "../common/failure.ts";
import type { Channels } from "./channel.ts";
import { imageVersionSchema } from "./manifest.ts";
import { channelPattern, compareVersions } from "./reference.ts";

/** Beside the channels: the newest version that each was rolled back from. */
const markSchema = z.looseObject({
  rolledBack: z.record(z.string().regex(channelPattern), imageVersionSchema).optional(),
});

/**
 * The newest version that a channel was rolled back from, and has not been promoted to again: somebody found that it is
 * not to be installed, so only what is newer may be promoted without being asked for.
 * @throws Failure `channels-invalid` (integrity)
 */
export function rolledBackFrom(channels: Channels, channel: string): string | undefined {
  const marks = readMarks(channels);
  return Object.hasOwn(marks, channel) ? marks[channel] : undefined;
}

/** The same channels, with the mark that the channel was rolled back from a version. */
export function markRolledBack(channels: Channels, channel: string, version: string): Channels {
  const former = rolledBackFrom(channels, channel);
  const newest = former !== undefined && compareVersions(former, version) > 0 ? former : version;
  return { ...channels, rolledBack: { ...readMarks(channels), [channel]: newest } };
}

/** The same channels, where somebody promotes this version: without a mark that stands in its way. */
export function forgetRolledBack(channels: Channels, channel: string, version: string): Channels {
  const former = rolledBackFrom(channels, channel);
  if (former === undefined || compareVersions(former, version) > 0) return channels;
  const { [channel]: _, ...marks } = readMarks(channels);
  const { rolledBack: __, ...rest } = channels;
  return Object.keys(marks).length > 0 ? { ...rest, rolledBack: marks } : rest;
}

function readMarks(channels: Channels): Readonly<Record<string, string>> {
  const parsed = markSchema.safeParse(channels);
  if (parsed.success) return parsed.data.rolledBack ?? {};
  throw new Failure({
    code: "channels-invalid",
    kind: "integrity",
    message: `reading what channels were rolled back from: ${z.prettifyError(parsed.error).replaceAll("\n", " ")}`,
    cause: parsed.error,
  });
}
