import { imagePrefix } from "../channel.ts";
import type { StoredObject } from "../store.ts";
import { type Listing, versionPrefix } from "./list-sides.ts";
import type { Statement } from "./read-statement.ts";
import { type SyncFilter, selectVersions } from "./select-versions.ts";

export interface DeletionRule {
  /** What the target says once everything is copied. */
  statement: Statement;
  /** What it said before: whoever has just read its pointer follows it still. */
  former: Statement | undefined;
  filter: SyncFilter;
}

const channelsFile = /^images\/[^/]+\/[^/]+\/[0-9a-f]{64}\.channels\.json$/;
const metadataFile = /^metadata\/(\d+)\.(.+)\.json$/;

/**
 * What of the target may go: files of versions that the statement does not list or the filter does not take, and old
 * metadata. A version on its way out stays as long as the source keeps it for those who read it. Roots stay, and so
 * does metadata that is newer than the statement's or of a role unknown to it, and whatever is no file of a mirror.
 */
export function planDeletions(target: Listing, { statement, former, filter }: DeletionRule): StoredObject[] {
  const prefixes = new Set(statement.images.flatMap((image) => keptPrefixes(image, filter)));
  const referenced = new Set([statement, former].flatMap((one) => (one ? referencedKeys(one) : [])));
  const goes = ({ key }: StoredObject) => {
    if (referenced.has(key)) return false;
    const prefix = versionPrefix(key);
    if (prefix !== undefined) return !prefixes.has(prefix);
    return channelsFile.test(key) || isOldMetadata(key, statement);
  };
  // A version without its manifest is one that nobody begins to read.
  const manifestFirst = (a: StoredObject, b: StoredObject) => Number(isManifest(b)) - Number(isManifest(a));
  return [...target.values()].filter(goes).sort(manifestFirst);
}

const isManifest = ({ key }: StoredObject) => key.endsWith("/manifest.json");

function keptPrefixes(image: Statement["images"][number], filter: SyncFilter): string[] {
  const { images, archs } = filter;
  const taken = (!images || images.includes(image.name)) && (!archs || archs.includes(image.arch));
  const versions = [...selectVersions(image, filter), ...(taken ? image.leaving : [])];
  return versions.map((version) => `${imagePrefix(image)}${version}/`);
}

function referencedKeys({ metadata, channels, others }: Statement): string[] {
  return [...metadata, ...channels, ...others].map(({ key }) => key);
}

function isOldMetadata(key: string, { roles }: Statement): boolean {
  const [, version, role = ""] = metadataFile.exec(key) ?? [];
  const current = roles.get(role);
  return current !== undefined && Number(version) < current;
}
