import { type Html, html, linkTo } from "../../common/html.ts";
import { formatSize } from "../../common/units.ts";
import { archiveName, type Manifest } from "../manifest.ts";
import { type QualifiedEntry, reportName } from "../qualification/entries.ts";
import { defaultChannel } from "../reference.ts";
import type { ImageContents, MirrorContents, VersionContents } from "./contents.ts";
import { channelsOf, dateOf, downloadSize, firmwareNames, systemName, verification } from "./describe.ts";
import { renderDocument } from "./document.ts";
import { renderInstallation } from "./install-snippet.ts";

/** From `images/<name>/<arch>/` to where all keys begin. */
const root = "../../../";

/** One image for one architecture: how to install it, and all of its versions. */
export function renderImagePage(
  { url, images }: MirrorContents,
  image: ImageContents,
  leading: VersionContents,
  mirrorTitle: string,
): Uint8Array {
  const { name, arch, channels, versions } = image;
  const title = systemName(leading.manifest);
  const others = images.filter((other) => other.name === name && other.arch !== arch && other.versions.length > 0);
  return renderDocument({
    title: `${title} (${arch}) · ${mirrorTitle}`,
    header: html`<nav class="trail" aria-label="Way back"><a href="${root}index.html">← ${mirrorTitle}</a></nav>
<h1>${title}</h1>
<p class="soft"><span class="mono">${name}</span> · ${arch}${others.map(renderOther)}</p>
<ul class="tags" aria-label="Channels">${Object.keys(channels).map((channel) => renderChannel(channel, `${channel}: ${channels[channel]}`))}</ul>`,
    main: html`<section aria-labelledby="install"><h2 id="install">Install it</h2>
${renderInstallation(image, url, root)}</section>
<section aria-labelledby="versions"><h2 id="versions">Versions</h2>
<div class="versions">${versions.map((version) => renderVersion(image, version, version === leading))}</div></section>`,
    footer: html`<p>What is said of a version is taken from its manifest, written when it was built; of its qualification, from the signed list.</p>`,
  });
}

function renderOther({ arch }: ImageContents): Html {
  return html` · <a href="../${encodeURIComponent(arch)}/index.html">also for ${arch}</a>`;
}

function renderChannel(channel: string, text: string): Html {
  return html`<li class="${channel === defaultChannel ? "channel stable" : "channel"}">${text}</li>`;
}

function renderVersion(image: ImageContents, contents: VersionContents, isLeading: boolean): Html {
  const { version, manifest, qualified = [] } = contents;
  const channels = channelsOf(image, version);
  return html`
<article class="version" aria-labelledby="v${version}"><div class="top"><h3 id="v${version}" class="mono">${version}</h3>
${channels.length > 0 ? html`<ul class="tags" aria-label="Channels">${channels.map((channel) => renderChannel(channel, channel))}</ul>` : undefined}</div>
<p class="soft">Built ${dateOf(manifest.build.date)} · ${downloadSize(manifest)} to download · ${formatSize(manifest.unpackedBytes)} unpacked</p>
${qualified.length > 0 ? renderQualified(version, qualified) : undefined}
${renderLinks(contents)}
<details${isLeading ? html` open` : undefined}><summary>What is in it</summary>${renderFacts(contents)}</details></article>`;
}

function renderQualified(version: string, entries: readonly QualifiedEntry[]): Html {
  const items = entries.map(({ hardware, profile, outcome, at, reportSha256 }) => {
    const report = `${encodeURIComponent(version)}/${reportName(reportSha256)}`;
    const [tag, words] = outcome === "passed" ? ["stable", "passed"] : ["failed", "did not pass"];
    return html`
<li><span>${hardware}</span><span class="tags"><span class="${tag}">${words}</span></span><span class="soft">${profile} · ${dateOf(at)} · <a href="${report}">report</a></span></li>`;
  });
  return html`<p class="soft">Qualification</p><ul class="qualified" aria-label="Qualification">${items}
</ul>`;
}

function renderLinks({ version, manifest }: VersionContents): Html {
  const has = (path: string) => manifest.files.some((file) => file.path === path);
  const links = [
    ["Archive", archiveName],
    ["Manifest", "manifest.json"],
    ...(has("sbom.cdx.json") ? [["SBOM", "sbom.cdx.json"]] : []),
    ["SHA256SUMS", "SHA256SUMS"],
  ];
  return html`<ul class="links" aria-label="Files of ${version}">${links.map(
    ([label, path = ""]) => html`<li><a href="${encodeURIComponent(version)}/${path}">${label}</a></li>`,
  )}</ul>`;
}

function renderFacts({ manifest, manifestSha256 }: VersionContents): Html {
  const { kernels, preinstalled, initramfs, minimumDiskBytes, source, build } = manifest;
  const facts: [string, Html | string][] = [
    ["System", systemName(manifest)],
    ["Kernel", html`<span class="mono">${kernels.join(", ")}</span>`],
    ["Boots under", firmwareNames(manifest).join(", ") || "nothing that is known"],
    ["Disk", `${formatSize(minimumDiskBytes)} or more`],
    ["Preinstalled", renderTags(preinstalled)],
    ["Initramfs", `${initramfs.generator}, with ${initramfs.programs.join(", ") || "no programs for storage"}`],
    ["License", licenses[manifest.license]],
    ["Vendor's file", linkTo(source.url)],
    ["Verified", html`${verification(manifest)}<br><span class="mono soft">${source.checksum}</span>`],
    ["Built with", describeTools(build)],
    ["Template", html`<span class="mono soft">${build.templateSha256}</span>`],
    ["Manifest", html`<span class="mono soft">sha256:${manifestSha256}</span>`],
  ];
  return html`<dl>${facts.map(([term, fact]) => html`<div><dt>${term}</dt><dd>${fact}</dd></div>`)}</dl>`;
}

const licenses: Record<Manifest["license"], string> = { none: "none needed", rhsm: "Red Hat subscription" };

function renderTags(names: readonly string[]): Html {
  return html`<ul class="tags">${names.map((name) => html`<li>${name}</li>`)}</ul>`;
}

function describeTools({ tools }: Manifest["build"]): string {
  return Object.entries(tools)
    .map(([tool, version]) => `${tool} ${version}`)
    .join(", ");
}
