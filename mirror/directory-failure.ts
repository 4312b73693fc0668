import { statfs } from "node:fs/promises";
import { asFailure, Failure, type FailureDetails } from "../common/failure.ts";
import { formatSize } from "../common/units.ts";

type Outcome = Omit<FailureDetails, "message" | "cause"> & { says: string };

const missing: Outcome = { code: "object-missing", kind: "failed", says: "there is no such object" };
const denied: Outcome = {
  code: "store-denied",
  kind: "configuration",
  says: "permission denied",
  hint: "check the owner and the mode of the directory, and that its file system is writable",
};
/** errno(3) -> what it means for a store. */
const outcomes: Record<string, Outcome> = {
  ENOENT: missing,
  ENOTDIR: missing,
  EISDIR: missing,
  ELOOP: missing,
  EEXIST: { code: "object-exists", kind: "failed", says: "there is such an object already" },
  EACCES: denied,
  EPERM: denied,
  EROFS: denied,
};

/**
 * What the file system throws becomes one of the store's Failures.
 * @param root of the store, whose file system may be full
 */
export async function directoryFailure(error: unknown, doing: string, root: string): Promise<Failure> {
  if (error instanceof Failure || !(error instanceof Error)) return asFailure(error, doing);
  const code = "code" in error ? String(error.code) : "";
  if (code === "ENOSPC") return storeFull(doing, { freeBytes: await findFree(root) }, error);
  if (code === "EDQUOT") return storeFull(doing, { reason: "the quota is used up" }, error);
  const outcome = outcomes[code];
  if (!outcome) return asFailure(error, doing);
  const { says, ...details } = outcome;
  return new Failure({ ...details, message: `${doing}: ${says}`, cause: error });
}

/**
 * Whether a file has room, before it is begun.
 * @param root of the store
 * @throws Failure `store-full` (configuration)
 */
export async function expectRoom(root: string, neededBytes: number, doing: string): Promise<void> {
  const freeBytes = await findFree(root);
  if (freeBytes !== undefined && freeBytes < neededBytes) throw storeFull(doing, { neededBytes, freeBytes });
}

async function findFree(root: string): Promise<number | undefined> {
  const found = await statfs(root).catch(() => undefined);
  return found && found.bavail * found.bsize;
}

interface Shortage {
  reason?: string;
  neededBytes?: number;
  freeBytes?: number | undefined;
}

function storeFull(doing: string, { reason, neededBytes, freeBytes }: Shortage, cause?: unknown): Failure {
  const free = freeBytes === undefined ? "no space left" : `${formatSize(freeBytes)} are free`;
  const says =
    reason ?? (neededBytes === undefined ? `no space left (${free})` : `it needs ${formatSize(neededBytes)}, ${free}`);
  return new Failure({
    code: "store-full",
    kind: "configuration",
    message: `${doing}: ${says}`,
    hint: "make room on the store's file system, then run it again: it goes on from there",
    data: { ...(neededBytes !== undefined && { neededBytes }), ...(freeBytes !== undefined && { freeBytes }) },
    cause,
  });
}
