import { type Html, html } from "../../common/html.ts";
import { formatReference } from "../reference.ts";
import type { ImageContents } from "./contents.ts";
import { channelsOf, leadingVersion } from "./describe.ts";

/** Where an address must stand, and the page's own is not known before it is looked at. */
const placeholder = "https://mirror.example.net";

/**
 * A job for one of the image's versions, and what to do with it.
 * @param url the mirror's address, where it is known
 * @param root the way from the page to the mirror's root
 */
export function renderInstallation(image: ImageContents, url: string | undefined, root: string): Html {
  const needsLicense = leadingVersion(image)?.manifest.license === "rhsm";
  const address = url === undefined ? html`<span data-root="${root}">${placeholder}</span>` : quoteScalar(url);
  const job = html`image: ${referenceTo(image)}
mirror: ${address}
mirrorRoot: ./root.json
disks: { count: 2 }
storage: raid1
instance:
  hostname: web-1
  sshKeys: ["ssh-ed25519 AAAA... me@example.net"]
${needsLicense ? "license: none # registered later, by hand\n" : undefined}`;
  const advice = url === undefined ? html`<span class="advice"> with the address of this mirror</span>` : undefined;
  return html`<p>In the server's rescue system, write a job${advice}, and put the mirror's <code>root.json</code> beside it. It says whose signatures count: get it from whoever runs the mirror, not from the mirror itself.</p>
${copyable("job.yaml", job)}
<p>Look at what would happen, which touches nothing, and then do it:</p>
${copyable(
  "the commands",
  html`metalcast plan job.yaml
metalcast install job.yaml
`,
)}`;
}

/** The channel `stable` where there is one, since it follows new versions; else another channel; else the version. */
function referenceTo(image: ImageContents): string {
  const { name } = image;
  const version = leadingVersion(image)?.version ?? "";
  const channel = channelsOf(image, version)[0] ?? Object.keys(image.channels)[0];
  return quoteScalar(formatReference(channel === undefined ? { name, version } : { name, channel }));
}

/** A YAML scalar: plain where it can't be taken for anything else. */
function quoteScalar(text: string): string {
  return /^[A-Za-z][A-Za-z0-9@:./_-]*$/.test(text) ? text : JSON.stringify(text);
}

function copyable(what: string, content: Html): Html {
  return html`<div class="copy"><pre tabindex="0" role="group" aria-label="${what}">${content}</pre><button type="button" aria-label="Copy ${what}" hidden>Copy</button></div>`;
}
