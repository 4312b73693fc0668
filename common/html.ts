/** Markup of ours, with all foreign text in it escaped. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Value = Html | string | number | undefined | readonly Value[];

/**
 * Markup with values in it: what is no Html itself is escaped, in an element as in an attribute in double quotes.
 * `undefined` is nothing, an array its items.
 */
export function html(parts: TemplateStringsArray, ...values: Value[]): Html {
  return new Html(parts.map((part, index) => part + render(values[index])).join(""));
}

function render(value: Value): string {
  if (value === undefined) return "";
  if (value instanceof Html) return value.text;
  if (typeof value === "object") return value.map(render).join("");
  return escapeText(String(value));
}

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Of no use in a name, and able to make it look like another one: control characters, and marks that turn lines round. */
const deceptive = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

function escapeText(text: string): string {
  return text
    .replace(deceptive, (character) => (character === "\n" ? "\n" : "\ufffd"))
    .replace(/[&<>"']/g, (character) => entities[character] ?? "");
}

/** A link where the address is one of the web; else its text. */
export function linkTo(address: string): Html {
  const url = URL.parse(address);
  if (url?.protocol !== "https:" && url?.protocol !== "http:") return html`<span>${address}</span>`;
  return html`<a href="${url.href}" rel="noreferrer">${address}</a>`;
}
