import { asFailure, Failure, type FailureDetails } from "../common/failure.ts";

type Outcome = Omit<FailureDetails, "message" | "cause"> & { says: string };

const missing: Outcome = { code: "object-missing", kind: "failed", says: "there is no such object" };
const denied: Outcome = {
  code: "store-denied",
  kind: "configuration",
  says: "permission denied",
  hint: "check the owner and the mode of the directory, and that its file system is writable",
};
const full: Outcome = {
  code: "store-full",
  kind: "configuration",
  says: "no space left",
  hint: "make room on the store's file system, then run it again",
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
  ENOSPC: full,
  EDQUOT: full,
};

/** What the file system throws becomes one of the store's Failures. */
export function directoryFailure(error: unknown, doing: string): Failure {
  if (error instanceof Failure || !(error instanceof Error)) return asFailure(error, doing);
  const outcome = "code" in error ? outcomes[String(error.code)] : undefined;
  if (!outcome) return asFailure(error, doing);
  const { says, ...details } = outcome;
  return new Failure({ ...details, message: `${doing}: ${says}`, cause: error });
}
