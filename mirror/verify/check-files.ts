import { createHash } from "node:crypto";
import { reportStep } from "../../common/event.ts";
import { formatSize } from "../../common/units.ts";
import { withRetries } from "../retry.ts";
import { sideBySide } from "../side-by-side.ts";
import { readResumed } from "../sync/read-resumed.ts";
import type { ListedFile } from "../sync/read-statement.ts";
import { type Finding, findingOf } from "./finding.ts";
import type { Listing } from "./list-mirror.ts";
import type { Verification } from "./verification.ts";

const filesAtOnce = 3;

/** Holds files to their size and, unless it is to be quick, their SHA-256. */
export async function checkFiles(
  run: Verification,
  files: readonly ListedFile[],
  listing: Listing | undefined,
): Promise<void> {
  const { emit, retry, quick, damages, checked } = run;
  const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const title = quick ? `Look at ${files.length} files` : `Read ${files.length} files (${formatSize(totalBytes)})`;
  await reportStep(emit, { step: "check-files", title }, async (advance) => {
    let done = 0;
    await sideBySide(files, { limit: filesAtOnce, ...retry }, async (file, signal) => {
      let read = 0;
      const onBytes = (count: number) => {
        read += count;
        checked.bytes += count;
        done += count;
        advance(done, totalBytes);
      };
      checked.objects += 1;
      const one = { ...run, retry: { ...retry, signal } };
      const finding = await checkFile(one, file, listing, onBytes).catch((error: unknown) =>
        findingOf(error, file.key),
      );
      done += file.sizeBytes - read;
      if (finding) damages.push({ finding, file });
    });
  });
}

async function checkFile(
  { store, quick, retry }: Verification,
  { key, sizeBytes, sha256 }: ListedFile,
  listing: Listing | undefined,
  onBytes: (count: number) => void,
): Promise<Finding | undefined> {
  // A listing may be older than what is read now, and may lag behind.
  const listed = quick ? listing?.get(key) : undefined;
  const found = listed ?? (await withRetries(() => store.stat(key, retry.signal), retry));
  if (!found) return { key, problem: "missing" };
  if (found.sizeBytes !== sizeBytes) return { key, problem: "size", expected: sizeBytes, found: found.sizeBytes };
  if (quick) return undefined;
  const hash = createHash("sha256");
  for await (const chunk of readResumed(store, key, { ...retry, sizeBytes, etag: found.etag })) {
    hash.update(chunk);
    onBytes(chunk.byteLength);
  }
  const digest = hash.digest("hex");
  return digest === sha256 ? undefined : { key, problem: "hash", expected: sha256, found: digest };
}
