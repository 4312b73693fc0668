import { reportStep } from "../../common/event.ts";
import { formatSize } from "../../common/units.ts";
import { withRetries } from "../retry.ts";
import { sideBySide } from "../side-by-side.ts";
import { copyObject, putObject } from "./copy-object.ts";
import type { Sides } from "./list-sides.ts";
import type { HeldFile, ListedFile } from "./read-statement.ts";
import { type ListedArchive, planReuse } from "./reuse-frames.ts";
import type { SyncRun } from "./sync-run.ts";

/** Two parts of 16 MiB of each are in memory where a bucket is written to. */
const copiesAtOnce = 3;

/** Copies files side by side, as one step. @param what they are, for people: "manifests" */
export async function copyFiles(
  run: SyncRun,
  sides: Sides,
  files: readonly (ListedFile | ListedArchive)[],
  what: string,
): Promise<void> {
  if (files.length === 0) return;
  const { emit, retry, tally } = run;
  const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const title = `Copy ${files.length} ${what} (${formatSize(totalBytes)})`;
  await reportStep(emit, { step: `copy-${what}`, title }, async (advance) => {
    let done = 0;
    const onBytes = (count: number) => {
      done += count;
      advance(done, totalBytes);
    };
    await sideBySide(files, { limit: copiesAtOnce, ...retry }, async (file, signal) => {
      if (await run.serverCopies.copy(file, sides.source?.get(file.key), { ...retry, signal })) {
        onBytes(file.sizeBytes);
        tally.add("copiedOnServer", [file]);
      } else {
        tally.addReused(await copyFile(run, sides, file, { signal, onBytes }));
      }
      tally.add("copied", [file]);
    });
  });
}

/** @returns how many of the bytes the target had already */
async function copyFile(
  { from, to, retry, bandwidth }: SyncRun,
  { source, target }: Sides,
  file: ListedFile | ListedArchive,
  { signal, onBytes }: { signal: AbortSignal; onBytes: (count: number) => void },
): Promise<number> {
  const options = {
    ...{ ...retry, signal, bandwidth, onBytes },
    ...{ source: source?.get(file.key), existing: target.get(file.key) },
  };
  // What lies in a directory of this machine costs less to read than what the target has.
  const isAtHand = from.url.startsWith("file:");
  const base = "frames" in file && !isAtHand ? await planReuse(to, target, file, { ...retry, signal }) : undefined;
  return copyObject(from, to, file, { ...options, base });
}

/** Writes files that are in memory. */
export async function putHeld(run: SyncRun, sides: Sides, files: readonly HeldFile[], what: string): Promise<void> {
  if (files.length === 0) return;
  const { to, emit, retry, tally } = run;
  await reportStep(emit, { step: `copy-${what}`, title: `Copy ${files.length} ${what}` }, () =>
    sideBySide(files, { limit: copiesAtOnce, ...retry }, async ({ key, bytes }, signal) => {
      const sizeBytes = bytes.byteLength;
      const object = { body: bytes, sizeBytes, existing: sides.target.get(key), signal };
      await withRetries(() => putObject(to, key, object), { ...retry, signal });
      tally.add("copied", [{ key, sizeBytes }]);
    }),
  );
}
