import { type Emit, note, reportOperation, reportStep } from "../../common/event.ts";
import { Failure } from "../../common/failure.ts";
import type { Store } from "../store.ts";
import { pointerKey } from "../trust/roles.ts";
import { Bandwidth, type Clock } from "./bandwidth.ts";
import { copyStatement, isCopied } from "./copy-statement.ts";
import { readStatement, type Statement } from "./read-statement.ts";
import { expectFilter, type SyncFilter } from "./select-versions.ts";
import { ServerCopies } from "./server-copies.ts";
import { withSyncLock } from "./sync-lock.ts";
import type { SyncRun } from "./sync-run.ts";
import { type ImageCounts, type SyncCounts, Tally } from "./tally.ts";

export interface SyncOptions {
  /** Whose files are copied. Default: all. */
  filter?: SyncFilter;
  /** Once everything is copied, removes files that the source does not list any more or the filter does not take. */
  delete?: boolean;
  /** Says what would happen, and changes nothing. */
  dryRun?: boolean;
  /** Of all copies together. Default: no limit. */
  bytesPerSecond?: number;
  emit: Emit;
  signal?: AbortSignal;
  /** Before the first retry, see RetryOptions. */
  retryDelayMs?: number;
  /** For the lock. Default: this machine's clock. */
  now?: () => Date;
  /** For the bandwidth. Default: this machine's clock. */
  clock?: Clock;
}

export interface SyncSummary extends SyncCounts {
  from: string;
  to: string;
  dryRun: boolean;
  /** The version of the statement that the target has now, and when readers will not believe it any more. */
  version: number;
  expires: string;
  /** Whether the target had another one before. */
  pointerMoved: boolean;
  /**
   * Of the copied bytes, those that the target had already: in another version of the same image, or from a run that was
   * killed.
   */
  reusedBytes: number;
  seconds: number;
  /** By name and architecture. What no image counts is metadata. */
  images: ImageCounts[];
}

const verifyHint = "they are what the source has; `metalcast verify` reads them";

/** How often a source that changes under the copying is looked at. */
const roundsLimit = 3;

/**
 * Makes one mirror the copy of another. It needs no keys, and checks no signatures: readers do. Content goes first, the
 * pointer that readers follow last; stopped anywhere, readers of the target have what they had, and a rerun goes on
 * from there. Every object is verified on its way, but what one server copies by itself without saying what it was. With
 * nothing to do, it lists both sides and reads the metadata.
 * @throws Failure `mirror-unsigned`, `image-unknown`, `channel-unknown`, `channel-invalid`, `newest-invalid`,
 *   `bandwidth-invalid` (configuration); `mirror-older`, `mirror-differs`, `root-differs` (refused); `sync-running`,
 *   `lock-lost`, `pointer-raced` (retry); what is wrong with the source (integrity, see readStatement,
 *   readVersionFiles and copyObject); what a store throws
 */
export async function sync(from: Store, to: Store, options: SyncOptions): Promise<SyncSummary> {
  const { emit, signal, now, dryRun = false, filter = {}, retryDelayMs } = options;
  expectFilter(filter);
  const bandwidth = limitBandwidth(options);
  return reportOperation(emit, { operation: "sync", subject: `${from.url} to ${to.url}` }, async () => {
    const startedAt = performance.now();
    const tally = new Tally();
    const serverCopies = new ServerCopies(from, to, emit);
    const begin = (ending?: AbortSignal): SyncRun => {
      const onRetry = ({ message }: Failure) => note(emit, `${message}; trying again`);
      const retry = { onRetry, ...(retryDelayMs !== undefined && { retryDelayMs }), ...(ending && { signal: ending }) };
      const deletes = options.delete ?? false;
      return { from, to, filter, deletes, dryRun, bandwidth, serverCopies, tally, emit, retry };
    };
    const { statement, pointerMoved } = await work(begin, signal, now);
    const { version, expires } = statement.pointer;
    const { unproven } = serverCopies;
    if (unproven > 0) note(emit, `${unproven} files were copied by the server, which tells no SHA-256: ${verifyHint}`);
    return {
      ...{ from: from.url, to: to.url, dryRun },
      ...{ version, expires: expires.toISOString(), pointerMoved },
      ...tally.total(),
      reusedBytes: tally.reusedBytes,
      seconds: Math.round(performance.now() - startedAt) / 1000,
      images: tally.images(),
    };
  });
}

interface Worked {
  statement: Statement;
  pointerMoved: boolean;
}

/** Most runs find nothing to do, and need no lock for that. */
async function work(
  begin: (ending?: AbortSignal) => SyncRun,
  signal: AbortSignal | undefined,
  now: SyncOptions["now"],
): Promise<Worked> {
  const run = begin(signal);
  if (run.dryRun) return follow(run);
  const statement = await expectStatement(run);
  if (await isCopied(run, statement)) return { statement, pointerMoved: false };
  return withSyncLock(run.to, { now, signal }, (ending) => follow(begin(ending), statement));
}

/**
 * What vanishes from the source while it is copied has been pruned there: by now the source says so.
 * @param read what the source has just said
 */
async function follow(run: SyncRun, read?: Statement): Promise<Worked> {
  let former: number | undefined;
  for (let round = 1; ; round += 1) {
    const statement = (round === 1 && read) || (await expectStatement(run));
    const { version } = statement.pointer;
    try {
      return { statement, pointerMoved: await copyStatement(run, statement) };
    } catch (error) {
      const changed = error instanceof Failure && error.code === "source-changed";
      if (!changed || version === former || round >= roundsLimit) throw error;
      note(run.emit, `${error.message}; looking at what ${run.from.url} lists again`);
      former = version;
    }
  }
}

async function expectStatement({ from, emit, retry }: SyncRun): Promise<Statement> {
  return reportStep(emit, { step: "read-source", title: `Read what ${from.url} lists` }, async () => {
    const statement = await readStatement(from, retry);
    if (!statement) throw mirrorUnsigned(from);
    const { expires } = statement.pointer;
    if (expires < new Date()) note(emit, `what ${from.url} says has expired at ${expires.toISOString()}`);
    return statement;
  });
}

function limitBandwidth({ bytesPerSecond, clock }: SyncOptions): Bandwidth | undefined {
  if (bytesPerSecond === undefined) return undefined;
  if (bytesPerSecond > 0) return new Bandwidth(bytesPerSecond, clock);
  throw new Failure({
    code: "bandwidth-invalid",
    kind: "configuration",
    message: `syncing with ${bytesPerSecond} bytes a second: nothing would ever arrive`,
    hint: "write a size such as 50M, or leave the limit out",
  });
}

function mirrorUnsigned({ url }: Store): Failure {
  return new Failure({
    code: "mirror-unsigned",
    kind: "configuration",
    message: `syncing from ${url}: it has no ${pointerKey}`,
    hint: "check the URL; a mirror without signed metadata can't be copied",
  });
}
