import { Failure } from "../common/failure.ts";
import { imageNameSchema, imageVersionSchema } from "./manifest.ts";

export const defaultChannel = "stable";

/** What a user means by an image: the newest of a channel, or one version for good. */
export type ImageReference = { name: string; channel: string } | { name: string; version: string };

/** As strict as an image's name, and never to be taken for a version. */
export const channelPattern = /^[a-z][a-z0-9-]{0,31}$/;

/** @throws Failure `channel-invalid` (configuration) */
export function expectChannel(channel: string): void {
  if (channelPattern.test(channel)) return;
  throw new Failure({
    code: "channel-invalid",
    kind: "configuration",
    message: `"${channel}" is not the name of a channel`,
    hint: "use lower-case letters, digits and hyphens, such as candidate",
  });
}

/**
 * Reads `debian-12` (channel stable), `debian-12:candidate` or `debian-12@20261123.0`.
 * @throws Failure `reference-invalid` (configuration)
 */
export function parseReference(text: string): ImageReference {
  const [, name = "", mark, rest = ""] = /^([^:@]*)(?:([:@])(.*))?$/s.exec(text) ?? [];
  if (imageNameSchema.safeParse(name).success) {
    if (mark === undefined) return { name, channel: defaultChannel };
    if (mark === ":" && channelPattern.test(rest)) return { name, channel: rest };
    if (mark === "@" && imageVersionSchema.safeParse(rest).success) return { name, version: rest };
  }
  throw new Failure({
    code: "reference-invalid",
    kind: "configuration",
    message: `"${text}" names no image`,
    hint: "write debian-12, debian-12:candidate or debian-12@20261123.0",
  });
}

/** The reference as a user writes it. */
export function formatReference(reference: ImageReference): string {
  if ("version" in reference) return `${reference.name}@${reference.version}`;
  return reference.channel === defaultChannel ? reference.name : `${reference.name}:${reference.channel}`;
}

/** @returns negative, zero or positive as `a` is older than, the same as or newer than `b` */
export function compareVersions(a: string, b: string): number {
  const [dateA = "", buildA = ""] = a.split(".");
  const [dateB = "", buildB = ""] = b.split(".");
  return Number(dateA) - Number(dateB) || Number(buildA) - Number(buildB);
}
