import { imagePrefix } from "../channel.ts";
import { versionPrefix } from "../sync/list-sides.ts";
import { readPointer } from "../sync/pointer.ts";
import { followMetadata, type MirrorState } from "./follow-metadata.ts";
import { holdReads } from "./hold-reads.ts";
import type { Damage, Verification } from "./verification.ts";

/**
 * Damage without what was pruned while it was looked at: of a mirror that says something new by now, files of versions
 * that are not listed any more are nobody's loss.
 */
export async function stillListed(
  run: Verification,
  damages: readonly Damage[],
  state: MirrorState,
): Promise<readonly Damage[]> {
  if (damages.every(({ finding }) => versionPrefix(finding.key) === undefined)) return damages;
  const pointer = await readPointer(run.store, run.retry);
  if (!pointer || pointer.version === state.version) return damages;
  const aside = { ...run, damages: [], checked: { objects: 0, bytes: 0 } };
  const now = await followMetadata(aside, holdReads(run.store), undefined);
  if (!now.isWhole) return damages;
  const listed = new Set(
    now.images.flatMap(({ versions, ...place }) =>
      Object.keys(versions).map((version) => `${imagePrefix(place)}${version}/`),
    ),
  );
  return damages.filter(({ finding }) => {
    const prefix = versionPrefix(finding.key);
    return prefix === undefined || listed.has(prefix);
  });
}
