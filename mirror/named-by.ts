/** What of a version is kept on record: the channels that have ever named it. Not there where nobody kept it. */
export interface NamingRecord {
  namedBy?: readonly string[] | undefined;
}

/** The same entry of a version, which a channel names from now on. A record that has no beginning is none. */
export function noteNamed<Entry extends NamingRecord>(entry: Entry, channel: string): Entry {
  const { namedBy } = entry;
  return namedBy === undefined || namedBy.includes(channel) ? entry : { ...entry, namedBy: [...namedBy, channel] };
}

/** The record of a version as another entry takes it over. */
export function takeRecord(entry: NamingRecord | undefined): { namedBy?: string[] } {
  return entry?.namedBy === undefined ? {} : { namedBy: [...entry.namedBy] };
}

/** Whether it is on record that no other channel has ever named the version. */
export function isOnlyOf(channel: string, entry: NamingRecord | undefined): boolean {
  return entry?.namedBy?.every((name) => name === channel) ?? false;
}
