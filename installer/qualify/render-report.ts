import { Html, html } from "../../common/html.ts";
import { formatDuration, formatSize } from "../../common/units.ts";
import { hardwareName, type Measurement, type QualificationReport, type QualifiedItem } from "../../mirror/index.ts";
import { plot } from "./plot.ts";
import { style } from "./report-style.ts";

/** One page for people, with nothing outside itself: what firmware and disks say of themselves is foreign text in it. */
export function renderReport(report: QualificationReport): string {
  const { host, image, profile, items, outcome } = report;
  const title = `${hardwareName(host)}: ${outcome}`;
  const facts: [string, string][] = [
    ["Server", `${hardwareName(host)}${host.serial === "" ? "" : `, serial ${host.serial}`}`],
    ["Firmware", host.firmware || "unknown"],
    [
      "Processors",
      `${host.cpu.count} × ${host.cpu.model}${host.cpu.microcode === "" ? "" : `, microcode ${host.cpu.microcode}`}`,
    ],
    ["Memory", formatSize(host.memoryBytes)],
    ["System", `${host.system}, kernel ${host.kernel}`],
    ["Image", image ? `${image.name}@${image.version} (${image.arch})` : "unknown"],
    ...(image?.manifestSha256 === undefined
      ? []
      : [["Manifest", `sha256:${image.manifestSha256}`] as [string, string]]),
    ["Profile", `${profile.name}, sha256:${profile.sha256}${report.partial ? ", not all of its items" : ""}`],
    ["Time", `${report.startedAt} to ${report.endedAt}`],
    ...host.disks.map(({ name, model, serial, sizeBytes }): [string, string] => [
      "Disk",
      [name, model, serial, formatSize(sizeBytes)].filter(Boolean).join(", "),
    ]),
    ...host.interfaces.map(({ name, mac, driver }): [string, string] => [
      "Network card",
      [name, mac, driver].filter(Boolean).join(", "),
    ]),
  ];
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title><style>${new Html(style)}</style></head>
<body><main><h1>${hardwareName(host)} <span class="${outcome}">${outcome}</span></h1>
<ul class="summary">${items.map(({ name, outcome: one }) => html`<li><a href="#${name}">${name}</a> <span class="${one}">${one}</span></li>`)}</ul>
${items.map(renderItem)}
<section><h2>Server and image</h2><dl>${facts.map(([term, fact]) => html`<div><dt>${term}</dt><dd>${fact}</dd></div>`)}</dl></section>
</main></body></html>
`;
  return page.text;
}

function renderItem({ name, title, outcome, reason, durationMs, measurements, series }: QualifiedItem): Html {
  return html`<section id="${name}"><h2>${name} <span class="${outcome}">${outcome}</span></h2>
<p class="soft">${title}, ${formatDuration(durationMs)}</p>
${reason === undefined ? undefined : html`<p class="${outcome}">${reason}</p>`}
${measurements.length === 0 ? undefined : html`<div class="wide"><table><thead><tr><th>Measured</th><th>Of</th><th>Value</th><th>Limit</th></tr></thead><tbody>${measurements.map(renderMeasurement)}</tbody></table></div>`}
${series.map(plot)}</section>
`;
}

function renderMeasurement({ name, subject, value, unit, limit, ok }: Measurement): Html {
  const words = [
    ...(limit?.min === undefined ? [] : [`≥ ${limit.min}`]),
    ...(limit?.max === undefined ? [] : [`≤ ${limit.max}`]),
    ...(limit?.oneOf ? [limit.oneOf.join(" or ")] : []),
  ];
  const shown = `${value}${unit === undefined ? "" : ` ${unit}`}${ok ? "" : " ✗"}`;
  return html`<tr${ok ? undefined : html` class="bad"`}><td>${name}</td><td>${subject}</td><td>${shown}</td><td>${words.join(", ")}</td></tr>`;
}
