import { type Channels, readChannels, versionNamedBy } from "../../mirror/channel.ts";
import { compareVersions, defaultChannel, formatReference } from "../../mirror/reference.ts";
import { resolveImage } from "../../mirror/resolve.ts";
import { rolledBackFrom } from "../../mirror/rolled-back.ts";
import { formatChecksum, parseChecksum } from "../checksum.ts";
import { digestRecipe } from "../recipe-digest.ts";
import { candidateChannel, type Night, type NightlyImage } from "./night.ts";
import { findReasons, type Reason } from "./reasons.ts";

/** What there is of an image, and whether it has to be built. */
export interface CheckedImage {
  channels: Channels | undefined;
  /** The newest version that `candidate` or `stable` names. */
  latest: string | undefined;
  stable: string | undefined;
  /** The newest version that somebody took `stable` back from. */
  rolledBack: string | undefined;
  due: boolean;
  reasons: Reason[];
}

/**
 * Holds what is published against what a build would give now.
 * @throws what the vendor's checksum (see findVendorChecksum) and the published manifest (see resolveImage) can throw
 */
export async function checkImage(night: Night, { image, local }: NightlyImage): Promise<CheckedImage> {
  const { store, builders, templateSha256, now, maxAgeMs, force, signal } = night;
  const { name, arch } = image;
  const channels = await readChannels(store, { name, arch }, signal);
  const stable = channels && versionNamedBy(channels, defaultChannel);
  const candidate = channels && versionNamedBy(channels, candidateChannel);
  const latest = newer(stable, candidate);
  const rolledBack = channels && rolledBackFrom(channels, defaultChannel);
  const found = { channels, latest, stable, rolledBack };
  if (image.source.kind === "supplied" && !local) {
    const text = "the vendor has no download for everybody: give your file as source, with its checksum";
    return { ...found, due: false, reasons: [{ code: "file-needed", text }] };
  }
  const checksum = local
    ? formatChecksum(parseChecksum(local.checksum))
    : await builders.findChecksum(image, { signal });
  const published = latest && (await resolveImage(store, formatReference({ name, version: latest }), { arch, signal }));
  const ingredients = { checksum, templateSha256, recipeSha256: digestRecipe(image) };
  const reasons = findReasons(published ? published.manifest : undefined, ingredients, { now: now(), maxAgeMs, force });
  if (reasons.length > 0) return { ...found, due: true, reasons };
  return { ...found, due: false, reasons: [{ code: "unchanged", text: `unchanged since ${latest}` }] };
}

function newer(left: string | undefined, right: string | undefined): string | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return compareVersions(left, right) > 0 ? left : right;
}
