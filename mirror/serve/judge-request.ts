import type { IncomingHttpHeaders } from "node:http";

/** What is there, as the headers of the answer name it. */
export interface Representation {
  /** Strong, in its quotes. */
  etag: string;
  /** Whole seconds, since HTTP knows no others. */
  modifiedAt: Date;
  sizeBytes: number;
}

/** Bytes from `start` up to, not including, `end`. */
type Verdict = { status: 200 | 206; start: number; end: number } | { status: 304 | 412 | 416 };

/** Conditions in the order of RFC 9110, 13.2.2, then the range. */
export function judgeRequest(method: string, headers: IncomingHttpHeaders, found: Representation): Verdict {
  if (!isExpected(headers, found)) return { status: 412 };
  if (isKnown(headers, found)) return { status: 304 };
  const whole = { start: 0, end: found.sizeBytes };
  // A range is defined for GET alone (14.2).
  const range = method === "GET" && isSame(headers["if-range"], found) ? parseRange(headers.range) : undefined;
  if (!range) return { status: 200, ...whole };
  const { first, last } = range;
  const start = first ?? Math.max(0, found.sizeBytes - (last ?? 0));
  const end = first === undefined || last === undefined ? found.sizeBytes : Math.min(last + 1, found.sizeBytes);
  return start < end ? { status: 206, start, end } : { status: 416 };
}

function isExpected({ "if-match": match, "if-unmodified-since": since }: IncomingHttpHeaders, found: Representation) {
  if (match !== undefined) return match.trim() === "*" || entityTags(match).includes(found.etag);
  const time = since === undefined ? Number.NaN : Date.parse(since);
  return Number.isNaN(time) || found.modifiedAt.getTime() <= time;
}

function isKnown({ "if-none-match": none, "if-modified-since": since }: IncomingHttpHeaders, found: Representation) {
  // Compared weakly (13.1.2): a cache on the way may have made the tag a weak one.
  if (none !== undefined) {
    return none.trim() === "*" || entityTags(none).some((tag) => tag.replace(/^W\//, "") === found.etag);
  }
  return since !== undefined && found.modifiedAt.getTime() <= Date.parse(since);
}

/** If-Range with a date never holds: two versions may have the same second (13.1.5 wants a strong validator). */
function isSame(ifRange: string | string[] | undefined, { etag }: Representation): boolean {
  return ifRange === undefined || ifRange === etag;
}

function entityTags(list: string): string[] {
  return list.match(/(?:W\/)?"[^"]*"/g) ?? [];
}

/**
 * One range, `first` to `last`, both included; without `first`, the last so many bytes. Several, and what is none, are
 * ignored, as RFC 9110, 14.2, lets a server do.
 */
function parseRange(header: string | undefined): { first?: number; last?: number } | undefined {
  const [, first = "", last = ""] = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header ?? "") ?? [];
  if (first === "" && last === "") return undefined;
  if (first !== "" && last !== "" && Number(last) < Number(first)) return undefined;
  return { ...(first !== "" && { first: Number(first) }), ...(last !== "" && { last: Number(last) }) };
}
