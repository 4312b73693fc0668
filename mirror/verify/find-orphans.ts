import { imagePrefix } from "../channel.ts";
import type { StoredObject } from "../store.ts";
import { versionPrefix } from "../sync/list-sides.ts";
import type { ListedFile } from "../sync/read-statement.ts";
import type { SyncFilter } from "../sync/select-versions.ts";
import type { Finding } from "./finding.ts";
import type { MirrorState } from "./follow-metadata.ts";
import type { Listing } from "./list-mirror.ts";

const rootFile = /^metadata\/\d+\.root\.json$/;
const metadataFile = /^metadata\/\d+\.[a-z0-9][a-z0-9.-]*\.json$/;
const channelsFile = /^images\/[^/]+\/[^/]+\/[0-9a-f]{64}\.channels\.json$/;
const pageFile = /^images\/[^/]+\/[^/]+\/index\.html$/;

/** What a version may have besides the files of its manifest. */
const besides = ["manifest.json", "SHA256SUMS"];

export interface OrphanRule {
  state: MirrorState;
  /** Of the versions that were looked at, by their prefixes. */
  files: ReadonlyMap<string, readonly ListedFile[]>;
  filter: SyncFilter;
}

/**
 * What of a listing nothing refers to. A version on its way out has its files for those who found it before. Where what
 * refers to an object could not be read, nothing is said of it.
 */
export function findOrphans(listing: Listing, { state, files, filter }: OrphanRule): Finding[] {
  const { images, parts, isWhole } = state;
  if (!isWhole) return [];
  const stated = images.flatMap(({ versions, leaving, ...place }) =>
    [...Object.keys(versions), ...leaving].map((version) => `${imagePrefix(place)}${version}/`),
  );
  const known = new Set(stated);
  const judge = (key: string): Finding["problem"] | undefined => {
    if (parts.has(key) || rootFile.test(key) || pageFile.test(key) || !isTaken(key, filter)) return undefined;
    if (metadataFile.test(key) || channelsFile.test(key)) return "old";
    const prefix = versionPrefix(key);
    if (prefix === undefined || !known.has(prefix)) return "orphan";
    const listed = files.get(prefix);
    if (!listed || besides.includes(key.slice(prefix.length))) return undefined;
    return listed.some((file) => file.key === key) ? undefined : "orphan";
  };
  return [...listing.values()].flatMap(({ key, sizeBytes }: StoredObject) => {
    const problem = judge(key);
    return problem ? [{ key, problem, found: sizeBytes }] : [];
  });
}

function isTaken(key: string, { images, archs }: SyncFilter): boolean {
  const [top, name = "", arch] = key.split("/");
  if (top !== "images") return true;
  return (!images || images.includes(name)) && (!archs || archs.some((one) => one === arch));
}
