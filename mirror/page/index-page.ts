import { type Html, html } from "../../common/html.ts";
import { formatSize } from "../../common/units.ts";
import { defaultChannel } from "../reference.ts";
import type { ImageContents, MirrorContents, VersionContents } from "./contents.ts";
import { channelsOf, dateOf, downloadSize, firmwareNames, leadingVersion, systemName } from "./describe.ts";
import { renderDocument } from "./document.ts";

/** All images of a mirror, to look through and to search. */
export function renderIndexPage({ updatedAt, images }: MirrorContents, title: string): Uint8Array {
  const count = images.length === 1 ? "1 image" : `${images.length} images`;
  return renderDocument({
    title,
    header: html`<h1>${title}</h1>
<p class="lead">Operating systems for bare metal, ready to be installed with Metalcast. Each image has a page with what is in it, where it came from, and the job that installs it.</p>`,
    main: html`${images.length > 1 ? renderSearch(images) : undefined}
<p class="count" role="status" data-all="${count}">${count}</p>
${images.length === 0 ? html`<p>Nothing has been published here yet.</p>` : html`<ul class="images">${images.map(renderImage)}</ul>`}`,
    footer: html`<p>Updated ${dateOf(updatedAt)}. For programs: <a href="streams/v1/index.json">simplestreams</a>.</p>`,
  });
}

function renderSearch(images: readonly ImageContents[]): Html {
  const families = images.flatMap((image) => leadingVersion(image)?.manifest.family ?? []);
  return html`<form class="search" role="search" hidden>
<label>Search <input type="search" name="text" placeholder="debian, lvm2, 6.1, …" autocomplete="off" spellcheck="false"></label>
${renderChoice("Family", "family", families)}
${renderChoice(
  "Architecture",
  "arch",
  images.map(({ arch }) => arch),
)}
</form>`;
}

function renderChoice(label: string, name: string, values: readonly string[]): Html {
  const options = [...new Set(values)].sort().map((value) => html`<option>${value}</option>`);
  return html`<label>${label} <select name="${name}"><option value="">any</option>${options}</select></label>`;
}

function renderImage(image: ImageContents): Html | undefined {
  const leading = leadingVersion(image);
  if (!leading) return undefined;
  const { manifest } = leading;
  const { name, arch } = image;
  const address = `images/${encodeURIComponent(name)}/${encodeURIComponent(arch)}/index.html`;
  const terms = [name, arch, systemName(manifest), manifest.family, ...manifest.kernels, ...manifest.preinstalled];
  return html`
<li data-search="${terms.join(" ").toLowerCase()}" data-family="${manifest.family}" data-arch="${arch}">
<div><h2><a href="${address}">${systemName(manifest)}</a></h2><p class="soft"><span class="mono">${name}</span> · ${arch}</p></div>
<div><p>${renderVersion(image, leading)}</p><p class="soft">${downloadSize(manifest)} to download, ${formatSize(manifest.unpackedBytes)} on disk</p></div>
<ul class="tags" aria-label="Boots under, and whether it was qualified">${firmwareNames(manifest).map((firmware) => html`<li>${firmware}</li>`)}${leading.qualified?.some(({ outcome }) => outcome === "passed") ? html`<li class="stable">qualified</li>` : undefined}</ul>
</li>`;
}

function renderVersion(image: ImageContents, { version, manifest }: VersionContents): Html {
  const channel = channelsOf(image, version)[0];
  const named = channel === undefined || channel === defaultChannel ? "" : ` (${channel})`;
  return html`<span class="mono">${version}</span>${named}, ${dateOf(manifest.build.date)}`;
}
