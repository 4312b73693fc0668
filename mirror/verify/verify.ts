import type { Metadata, Root } from "@tufjs/models";
import { type Emit, note, reportOperation, reportStep } from "../../common/event.ts";
import type { Failure } from "../../common/failure.ts";
import { formatSize } from "../../common/units.ts";
import { sideBySide } from "../side-by-side.ts";
import type { Store } from "../store.ts";
import type { SyncFilter } from "../sync/select-versions.ts";
import { parseMetadata } from "../trust/metadata.ts";
import { metadataKey } from "../trust/roles.ts";
import { checkFiles } from "./check-files.ts";
import { checkRoots } from "./check-roots.ts";
import { checkVersions } from "./check-versions.ts";
import { expectFilter } from "./expect-filter.ts";
import { findOrphans } from "./find-orphans.ts";
import { type Finding, isDamage } from "./finding.ts";
import { followMetadata, type MirrorState } from "./follow-metadata.ts";
import { type HeldReads, holdReads } from "./hold-reads.ts";
import { describeRefusal, isPartOnly, judge } from "./judge.ts";
import { type Listing, listMirror } from "./list-mirror.ts";
import { Mender } from "./mender.ts";
import { stillListed } from "./still-listed.ts";
import type { Damage, Verification } from "./verification.ts";

export interface VerifyOptions {
  /** The root that the mirror's readers have pinned: JSON. */
  root: string | Uint8Array;
  /** Looks at presence and sizes of files only. */
  quick?: boolean;
  /** Whose files are checked, as of a sync. Default: all. Metadata is checked whole. */
  filter?: SyncFilter;
  /** Another mirror, from which comes what is damaged or missing. */
  repairFrom?: Store;
  /** Says what would be repaired, and changes nothing. */
  dryRun?: boolean;
  emit: Emit;
  signal?: AbortSignal;
  /** Before the first retry, see RetryOptions. */
  retryDelayMs?: number;
}

export interface Verified {
  store: string;
  /** Whether readers find all that is listed, as it is listed. What nothing refers to does no harm. */
  ok: boolean;
  /** Of the statement; not there where it can't be read. */
  version?: number;
  /** When readers begin to refuse it: ISO 8601. */
  expires?: string;
  /** Whose signature expires then: a role, or an image. */
  expiresFirst?: string;
  /** Objects that were looked at, and the bytes of content that were read and hashed. */
  checked: { objects: number; bytes: number };
  /** Damage by key, then what is not referred to. */
  findings: Finding[];
  /** By key: what was found and repaired; in a dry run what would be, which is among the findings, too. */
  repaired: Finding[];
}

/**
 * Checks a whole mirror: metadata as a reader with the pinned root sees it, then every list, manifest and file that it
 * leads to, and what nothing leads to. What is wrong is data, not thrown. With `repairFrom`, what another mirror has with
 * the listed hash takes the place of what is damaged, as long as the signatures are good.
 * @throws Failure `mirror-unsigned`, `image-unknown`, `channel-unknown`, `newest-invalid` (configuration);
 *   `metadata-invalid` (integrity) for a pinned root that is none; what a store throws that is no matter of one object
 */
export async function verify(store: Store, options: VerifyOptions): Promise<Verified> {
  const { emit, filter = {}, signal } = options;
  return reportOperation(emit, { operation: "verify", subject: store.url }, async () => {
    const run = begin(store, options);
    const { state, refusal, listing } = await reportStep(
      emit,
      { step: "read-metadata", title: `Read what ${store.url} says, as its readers do` },
      () => readMetadata(run, Buffer.from(options.root)),
    );
    if (!refusal || state.images.length > 0) expectFilter(state.images, filter, store.url);
    if (refusal && run.mender)
      note(emit, `nothing of the images is repaired: readers refuse what ${store.url} says of them`);
    const trusted: Verification = { ...run, mender: refusal ? undefined : run.mender };
    const files = await reportStep(emit, { step: "read-manifests", title: "Read manifests" }, () =>
      checkVersions(trusted, state.images, filter),
    );
    await checkFiles(trusted, [...files.values()].flat(), listing);
    const damages = await stillListed(trusted, run.damages, state);
    const left = await repair(trusted, damages);
    const orphans = listing ? findOrphans(listing, { state, files, filter }) : [];
    signal?.throwIfAborted();
    return summarize(run, { state, refusal, findings: [...left, ...orphans] });
  });
}

function begin(store: Store, options: VerifyOptions): Verification {
  const { emit, signal, retryDelayMs, repairFrom, dryRun = false, quick = false } = options;
  const onRetry = ({ message }: Failure) => note(emit, `${message}; trying again`);
  const retry = { onRetry, ...(retryDelayMs !== undefined && { retryDelayMs }), ...(signal && { signal }) };
  const mender = repairFrom && new Mender({ from: repairFrom, to: store, dryRun, emit, retry });
  return { store, damages: [], checked: { objects: 0, bytes: 0 }, quick, mender, emit, retry };
}

interface MetadataRead {
  state: MirrorState;
  /** Why readers refuse it. */
  refusal: Failure | undefined;
  listing: Listing | undefined;
}

/** The listing comes first: what is published after it is not taken for something that nothing refers to. */
async function readMetadata(run: Verification, root: Buffer): Promise<MetadataRead> {
  const { signal } = run.retry;
  const pinned = { bytes: root, root: parseMetadata("root", root, "the pinned root") };
  const listing = await listMirror(run.store, signal);
  const held = holdReads(run.store);
  const first = await judge(held.store, root, signal);
  const mender = !first || isPartOnly(first) ? run.mender : undefined;
  const state = await followMetadata(run, held, mender);
  const mended = (mender?.repaired.length ?? 0) > 0;
  const refusal = mended ? await judge(held.store, root, signal) : first;
  await checkRoots(run, held.store, pinned, listing);
  return { state: { ...state, expiry: soonest(state.expiry, newestRoot(held, pinned.root)) }, refusal, listing };
}

/** The last one that the judge has followed from the pinned one. */
function newestRoot({ bytes }: HeldReads, pinned: Metadata<Root>): Metadata<Root> {
  for (let root = pinned; ; ) {
    const key = metadataKey("root", root.signed.version + 1);
    const next = bytes.get(key);
    if (!next) return root;
    try {
      root = parseMetadata("root", next, key);
    } catch {
      // The judge has said so.
      return root;
    }
  }
}

function soonest(expiry: MirrorState["expiry"], { signed }: Metadata<Root>): MirrorState["expiry"] {
  const expires = new Date(signed.expires);
  return expiry && expires < expiry.expires ? { role: "root", expires } : expiry;
}

async function repair({ mender, emit, retry }: Verification, damages: readonly Damage[]): Promise<Finding[]> {
  const files = damages.flatMap(({ finding, file }) => (file ? [{ finding, file }] : []));
  if (!mender || files.length === 0) return damages.map(({ finding }) => finding);
  const totalBytes = files.reduce((sum, { file }) => sum + file.sizeBytes, 0);
  const title = `Repair ${files.length} files (${formatSize(totalBytes)})`;
  const done = new Set<Finding>();
  await reportStep(emit, { step: "repair", title }, async (advance) => {
    let bytes = 0;
    await sideBySide(files, { limit: 3, ...retry }, async ({ finding, file }) => {
      const mended = await mender.mendFile(file, finding, (count) => {
        bytes += count;
        advance(bytes, totalBytes);
      });
      if (mended && !mender.dryRun) done.add(finding);
    });
  });
  return damages.flatMap(({ finding }) => (done.has(finding) ? [] : [finding]));
}

function summarize(
  { store, checked, mender }: Verification,
  { state, refusal, findings }: Pick<MetadataRead, "state" | "refusal"> & { findings: Finding[] },
): Verified {
  const all = [...(refusal ? [describeRefusal(refusal)] : []), ...findings.sort(byHarmThenKey)];
  const { version, expiry } = state;
  return {
    store: store.url,
    ok: !all.some(isDamage),
    ...(version !== undefined && { version }),
    ...(expiry && { expires: expiry.expires.toISOString(), expiresFirst: expiry.role }),
    checked,
    findings: all,
    repaired: (mender?.repaired ?? []).toSorted(byHarmThenKey),
  };
}

function byHarmThenKey(a: Finding, b: Finding): number {
  return Number(isDamage(b)) - Number(isDamage(a)) || (a.key < b.key ? -1 : 1);
}
