import { type Html, html } from "../../common/html.ts";
import { formatSize } from "../../common/units.ts";
import { archiveName, type Manifest } from "../manifest.ts";
import { defaultChannel } from "../reference.ts";
import type { ImageContents, VersionContents } from "./contents.ts";

/** As the system calls itself (os-release(5)): `Debian GNU/Linux 12 (bookworm)`. */
export function systemName({ osRelease, name }: Manifest): string {
  return osRelease.PRETTY_NAME || osRelease.NAME || name;
}

/** The version that an image's page is about: what `stable` names, or the newest. */
export function leadingVersion({ channels, versions }: ImageContents): VersionContents | undefined {
  return versions.find(({ version }) => version === channels[defaultChannel]) ?? versions[0];
}

/** Names of the channels that lead to a version, `stable` first. */
export function channelsOf({ channels }: ImageContents, version: string): string[] {
  return Object.keys(channels)
    .filter((channel) => channels[channel] === version)
    .sort((a, b) => Number(b === defaultChannel) - Number(a === defaultChannel) || (a < b ? -1 : 1));
}

export function firmwareNames({ firmware }: Manifest): string[] {
  return [
    ...(firmware.bios ? ["BIOS"] : []),
    ...(firmware.uefi ? ["UEFI"] : []),
    ...(firmware.secureBoot ? ["Secure Boot"] : []),
  ];
}

/** Of the archive, which is what travels. */
export function downloadSize({ files }: Manifest): string {
  return formatSize(files.find(({ path }) => path === archiveName)?.sizeBytes ?? 0);
}

const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" });

/** A day, and the time of it for those who ask. */
export function dateOf(iso: string): Html {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return html`<span>${iso}</span>`;
  return html`<time datetime="${date.toISOString()}" title="${date.toISOString()}">${day.format(date)}</time>`;
}

/** How the factory knew that the vendor's file was the vendor's. */
export function verification({ source }: Manifest): string {
  switch (source.verifiedBy) {
    case "signature":
      return source.signedBy === undefined
        ? "by the vendor's signature"
        : `by the vendor's signature, made with the key ${source.signedBy}`;
    case "checksum-file":
      return "against the vendor's list of checksums";
    case "pinned-checksum":
      return "against a checksum that is written down with the image's recipe";
  }
}
