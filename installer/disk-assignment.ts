/** What one group is to have, and which disks could be among them. */
export interface Demand<Disk> {
  count: number;
  candidates: readonly Disk[];
}

export type Assignment<Disk> =
  | { outcome: "unique"; groups: Disk[][] }
  /** More than one choice fulfils all demands: these disks are in one of them and not, or elsewhere, in another. */
  | { outcome: "ambiguous"; disks: Disk[] }
  /** No choice fulfils all demands. `missing`: by how many disks each group falls short in the best one. */
  | { outcome: "impossible"; missing: number[] };

/**
 * Gives each group exactly `count` disks, no disk to two groups, and says whether that can be done in one way only.
 * Augmenting paths: what a group lacks, it takes from another that has a choice.
 */
export function assignDisks<Disk>(demands: readonly Demand<Disk>[]): Assignment<Disk> {
  const owners = new Map<Disk, number>();
  const missing = demands.map(({ count }, group) => {
    let lacking = count;
    while (lacking > 0 && takeOne(demands, owners, group, new Set())) lacking -= 1;
    return lacking;
  });
  if (missing.some((lacking) => lacking > 0)) return { outcome: "impossible", missing };

  const disputed = [...owners].filter(([disk, group]) => hasAlternative(demands, owners, disk, group));
  if (disputed.length > 0) return { outcome: "ambiguous", disks: listRivals(demands, disputed) };
  const groups = demands.map(({ candidates }, group) => candidates.filter((disk) => owners.get(disk) === group));
  return { outcome: "unique", groups };
}

function takeOne<Disk>(
  demands: readonly Demand<Disk>[],
  owners: Map<Disk, number>,
  group: number,
  visited: Set<Disk>,
): boolean {
  for (const disk of demands[group]?.candidates ?? []) {
    if (visited.has(disk)) continue;
    visited.add(disk);
    const owner = owners.get(disk);
    if (owner === undefined || (owner !== group && takeOne(demands, owners, owner, visited))) {
      owners.set(disk, group);
      return true;
    }
  }
  return false;
}

/** Without this disk for this group, all demands can be fulfilled all the same. */
function hasAlternative<Disk>(
  demands: readonly Demand<Disk>[],
  owners: ReadonlyMap<Disk, number>,
  disk: Disk,
  group: number,
): boolean {
  const others = new Map(owners);
  others.delete(disk);
  const without = demands.map((demand, index) =>
    index === group ? { ...demand, candidates: demand.candidates.filter((candidate) => candidate !== disk) } : demand,
  );
  return takeOne(without, others, group, new Set());
}

/** All that the groups of the disputed disks could have: the one chosen first is no more to blame than the others. */
function listRivals<Disk>(demands: readonly Demand<Disk>[], disputed: readonly (readonly [Disk, number])[]): Disk[] {
  const groups = new Set(disputed.map(([, group]) => group));
  return [...new Set([...groups].flatMap((group) => demands[group]?.candidates ?? []))];
}
