import { createHash } from "node:crypto";
import { Html, html } from "../../common/html.ts";
import { script } from "./script.ts";
import { style } from "./style.ts";

const sourceOf = (content: string) => `'sha256-${createHash("sha256").update(content).digest("base64")}'`;

/** Nothing but what the page itself holds: were foreign text ever taken for markup, it could still do nothing. */
const policy = [
  "default-src 'none'",
  `style-src ${sourceOf(style)}`,
  `script-src ${sourceOf(script)}`,
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/** A crucible's pour, and a favicon that needs no request. */
const icon = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="#9a4a16"/><path d="M4 11V5l4 4 4-4v6" fill="none" stroke="#fff" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/></svg>',
)}`;

interface Page {
  title: string;
  header: Html;
  main: Html;
  footer: Html;
}

/** A whole page, which asks for nothing more. */
export function renderDocument({ title, header, main, footer }: Page): Uint8Array {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<link rel="icon" href="${icon}">
<style>${new Html(style)}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>${header}</header>
<main id="main">${main}</main>
<footer>${footer}</footer>
<script>${new Html(script)}</script>
</body>
</html>
`;
  return Buffer.from(page.text);
}
