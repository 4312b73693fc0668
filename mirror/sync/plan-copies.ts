import { imagePrefix } from "../channel.ts";
import { archiveName } from "../manifest.ts";
import type { RetryOptions } from "../retry.ts";
import { sideBySide } from "../side-by-side.ts";
import type { Store, StoredObject } from "../store.ts";
import { groupByVersion, type Sides } from "./list-sides.ts";
import type { HeldFile, ListedFile, Statement } from "./read-statement.ts";
import type { ListedArchive } from "./reuse-frames.ts";
import { type SyncFilter, selectVersions } from "./select-versions.ts";
import { readVersionFiles, type WantedVersion } from "./version-files.ts";

/** What is to be copied, in this order. */
export interface CopyPlan {
  /** What versions are made of; manifests apart. */
  files: (ListedFile | ListedArchive)[];
  manifests: ListedFile[];
  channels: HeldFile[];
  metadata: HeldFile[];
  /** What is there already. */
  skipped: { key: string; sizeBytes: number }[];
}

const requestsAtOnce = 4;

/**
 * Holds what the statement lists and the filter takes against what the target has. A version whose files lie at both
 * sides with the same sizes costs no request; of any other the manifest is read.
 * @throws what readVersionFiles throws
 */
export async function planCopies(
  { from, to, sides }: { from: Store; to: Store; sides: Sides },
  statement: Statement,
  filter: SyncFilter,
  options: RetryOptions & { signal?: AbortSignal },
): Promise<CopyPlan> {
  const plan: CopyPlan = { files: [], manifests: [], channels: [], metadata: [], skipped: [] };
  const lacks = ({ key, sizeBytes }: { key: string; sizeBytes: number }) => {
    if (sides.target.get(key)?.sizeBytes !== sizeBytes) return true;
    plan.skipped.push({ key, sizeBytes });
    return false;
  };
  const complete = findComplete(sides);
  await sideBySide(selectAll(statement, filter), { limit: requestsAtOnce, ...options }, async (wanted, signal) => {
    const there = complete(wanted.prefix);
    if (there) {
      plan.skipped.push(...there);
      return;
    }
    const found = await readVersionFiles(from, to, sides, wanted, { ...options, signal });
    const { frames } = found.manifest;
    const archiveKey = wanted.prefix + archiveName;
    const missing = found.files.filter(lacks);
    plan.files.push(...missing.map((file) => (file.key === archiveKey ? { ...file, version: wanted, frames } : file)));
    (found.manifestIsThere ? plan.skipped : plan.manifests).push(found.manifestFile);
  });
  plan.files.push(...statement.others.filter(lacks));
  plan.channels.push(...statement.channels.filter((file) => lacks(sized(file))));
  plan.metadata.push(...statement.metadata.filter((file) => lacks(sized(file))));
  return plan;
}

const sized = ({ key, bytes }: HeldFile) => ({ key, sizeBytes: bytes.byteLength });

function selectAll({ images }: Statement, filter: SyncFilter): WantedVersion[] {
  return images.flatMap((image) =>
    selectVersions(image, filter).flatMap((version) => {
      const { name, arch, versions, reports } = image;
      const { manifestSha256 } = versions[version] ?? {};
      if (manifestSha256 === undefined) return [];
      const prefix = `${imagePrefix({ name, arch })}${version}/`;
      return [{ name, arch, version, manifestSha256, prefix, reports: reports[version] ?? [] }];
    }),
  );
}

/** @returns a function that gives the files of a version, where it is plain that the target has all of them */
function findComplete({ source, target }: Sides): (prefix: string) => StoredObject[] | undefined {
  const groups = source && groupByVersion(source);
  return (prefix) => {
    const files = groups?.get(prefix) ?? [];
    const names = new Set(files.map(({ key }) => key.slice(prefix.length)));
    const whole = names.has("manifest.json") && names.has(archiveName);
    return whole && files.every(({ key, sizeBytes }) => target.get(key)?.sizeBytes === sizeBytes) ? files : undefined;
  };
}
