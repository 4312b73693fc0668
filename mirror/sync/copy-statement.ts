import { reportStep } from "../../common/event.ts";
import { Failure } from "../../common/failure.ts";
import { removeUnfinished } from "../remove-unfinished.ts";
import type { StoredObject } from "../store.ts";
import { pointerKey } from "../trust/roles.ts";
import { copyFiles, putHeld } from "./copy-files.ts";
import { findMissingRoots } from "./find-roots.ts";
import { listSides, type Sides } from "./list-sides.ts";
import { expectSuccessor, movePointer } from "./move-pointer.ts";
import { type CopyPlan, planCopies } from "./plan-copies.ts";
import { planDeletions } from "./plan-deletions.ts";
import { type Pointer, readPointer } from "./pointer.ts";
import { sourceChanged } from "./read-resumed.ts";
import { type HeldFile, readStatement, type Statement } from "./read-statement.ts";
import { expectKnown } from "./select-versions.ts";
import type { SyncRun } from "./sync-run.ts";

interface Plan extends CopyPlan {
  sides: Sides;
  roots: HeldFile[];
  /** The target's, as it was. */
  former: Pointer | undefined;
  pointerMoves: boolean;
  goes: StoredObject[];
}

/**
 * Copies all that a statement leads to and the filter takes, then the pointer, and then removes what is left over. In a
 * dry run it counts only.
 * @returns whether the target's pointer is another one than before
 */
export async function copyStatement(run: SyncRun, statement: Statement): Promise<boolean> {
  const { to, retry, tally } = run;
  const former = await readPointer(to, retry);
  expectSuccessor(to, statement.pointer, former);
  const plan = await compare(run, statement, former);
  tally.forgetSkipped();
  tally.add("skipped", plan.skipped);
  if (run.dryRun) countOnly(run, statement, plan);
  else await carryOut(run, statement, plan);
  return plan.pointerMoves;
}

/**
 * Whether the target has all of a statement already, and nothing that is to go. It costs little where the target has
 * another pointer, and then it is not so.
 */
export async function isCopied(run: SyncRun, statement: Statement): Promise<boolean> {
  const former = await readPointer(run.to, run.retry);
  if (!former || Buffer.compare(former.bytes, statement.pointer.bytes) !== 0) return false;
  const plan = await compare(run, statement, former).catch((error: unknown) => {
    // There will be a new look.
    if (error instanceof Failure && error.code === "source-changed") return undefined;
    throw error;
  });
  if (!plan) return false;
  const { files, manifests, channels, metadata, roots, goes, skipped } = plan;
  if ([files, manifests, channels, metadata, roots, goes].some(({ length }) => length > 0)) return false;
  run.tally.add("skipped", skipped);
  return true;
}

function compare(run: SyncRun, statement: Statement, former: Pointer | undefined): Promise<Plan> {
  const { from, to, filter, retry } = run;
  expectKnown(statement.images, filter, from.url);
  return reportStep(run.emit, { step: "compare", title: "Compare both sides" }, async () => {
    const pointerMoves = former?.version !== statement.pointer.version;
    const sides = await listSides(from, to, retry.signal);
    const roots = await findMissingRoots(from, sides, retry);
    if (roots.length > 0) await expectSame(run, statement.pointer);
    const copies = await planCopies({ from, to, sides }, statement, filter, retry);
    const goes = run.deletes ? await findDeletions(run, statement, sides, pointerMoves) : [];
    return { ...copies, sides, roots, former, pointerMoves, goes };
  });
}

/** A root that was added after the pointer was read may not know the keys that the pointer is signed with. */
async function expectSame({ from, retry }: SyncRun, pointer: Pointer): Promise<void> {
  const now = await readPointer(from, retry);
  if (now?.version !== pointer.version) throw sourceChanged(`reading ${from.url}/${pointerKey}`);
}

async function findDeletions({ to, filter, retry }: SyncRun, statement: Statement, { target }: Sides, moves: boolean) {
  // One that can't be followed has no readers that something could be kept for.
  const former = moves ? await readStatement(to, retry).catch(() => undefined) : undefined;
  return planDeletions(target, { statement, former, filter });
}

function countOnly({ tally }: SyncRun, { pointer }: Statement, plan: Plan): void {
  const pointers = plan.pointerMoves ? [{ key: pointerKey, bytes: pointer.bytes }] : [];
  const held = [...plan.channels, ...plan.metadata, ...plan.roots, ...pointers];
  tally.add("copied", [...plan.files, ...plan.manifests]);
  tally.add(
    "copied",
    held.map(({ key, bytes }) => ({ key, sizeBytes: bytes.byteLength })),
  );
  tally.add("deleted", plan.goes);
}

/**
 * What a file leads to is there before it. New roots go before the first pointer, which nobody could verify otherwise,
 * and after any other: a publisher, too, adds a root once there is what it allows.
 */
async function carryOut(run: SyncRun, { pointer }: Statement, plan: Plan): Promise<void> {
  const { to, emit, retry, tally } = run;
  const { sides } = plan;
  await copyFiles(run, sides, plan.files, "files");
  await copyFiles(run, sides, plan.manifests, "manifests");
  await putHeld(run, sides, plan.channels, "channels");
  await putHeld(run, sides, plan.metadata, "metadata");
  if (!plan.former) await putRoots(run, plan);
  if (plan.pointerMoves) {
    const title = `Let readers of ${to.url} find statement ${pointer.version}`;
    await reportStep(emit, { step: "move-pointer", title }, () => movePointer(to, pointer, plan.former, retry));
    tally.add("copied", [{ key: pointerKey, sizeBytes: pointer.bytes.byteLength }]);
  }
  if (plan.former) await putRoots(run, plan);
  if (plan.goes.length > 0) {
    await reportStep(emit, { step: "delete", title: `Remove ${plan.goes.length} files` }, () =>
      remove(run, pointer, plan.goes),
    );
  }
  if (run.deletes) await removeUnfinished(to, { emit, ...retry });
}

/** One after the other: a reader goes from each to the next. */
async function putRoots(run: SyncRun, { sides, roots }: Plan): Promise<void> {
  for (const root of roots) await putHeld(run, sides, [root], "roots");
}

async function remove({ to, retry, tally }: SyncRun, pointer: Pointer, goes: StoredObject[]): Promise<void> {
  // What lies there is another's by now if the pointer is.
  expectSuccessor(to, pointer, await readPointer(to, retry));
  for (const object of goes) {
    await to.remove(object.key, retry.signal);
    tally.add("deleted", [object]);
  }
}
