import type { Refuse } from "./header.ts";

/**
 * Reads pax records: `LENGTH KEY=VALUE` and a line end, the length counting all of it. Values are bytes, one a
 * character (latin1), since extended attributes are binary. Source: POSIX.1-2017, pax, "pax Extended Header".
 */
export function parsePaxRecords(bytes: Buffer, refuse: Refuse): Map<string, string> {
  const records = new Map<string, string>();
  for (let position = 0; position < bytes.length; ) {
    const digits = /^([1-9]\d{0,8}) /.exec(bytes.toString("latin1", position, position + 10))?.[1];
    const end = position + Number(digits ?? Number.NaN);
    const record = digits === undefined ? "" : bytes.toString("latin1", position + digits.length + 1, end - 1);
    const equals = record.indexOf("=");
    if (!(end <= bytes.length) || equals < 1 || bytes[end - 1] !== 0x0a) throw refuse("a pax record is malformed");
    const key = record.slice(0, equals);
    if (records.has(key)) throw refuse(`a member has two pax records ${JSON.stringify(key.slice(0, 80))}`);
    records.set(key, record.slice(equals + 1));
    position = end;
  }
  return records;
}
