/**
 * How long a server asks to be left alone. Retry-After: seconds or a date (RFC 9110, 10.2.3).
 * @returns milliseconds; undefined where it asks for nothing
 */
export function parseRetryAfter(header: string | undefined, now = new Date()): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime());
}
