import { Failure } from "../../common/failure.ts";

/**
 * What is wrong with an object. `refused`: readers with the pinned root refuse the metadata, `code` says why; `invalid`:
 * it is what was listed and makes no sense; `unreadable`: the store has it and does not give it. The last two do no
 * harm: nothing refers to an `orphan`, and to what is `old` nothing refers any more.
 */
export type Problem = "refused" | "missing" | "size" | "hash" | "invalid" | "unreadable" | "orphan" | "old";

/** One object that is not as it should be. */
export interface Finding {
  key: string;
  problem: Problem;
  /** Bytes, or a SHA-256. */
  expected?: number | string;
  found?: number | string;
  /** Code of the failure behind it. */
  code?: string;
  /** For people. */
  reason?: string;
}

/** Whether readers are the worse for it. */
export function isDamage({ problem }: Finding): boolean {
  return problem !== "orphan" && problem !== "old";
}

/**
 * What reading an object came to, where that says something of the object.
 * @throws the error itself, where it says something of the network, of the store as a whole, or is an interruption
 */
export function findingOf(error: unknown, key: string): Finding {
  if (!(error instanceof Failure) || error.kind === "interrupted" || error.code === "store-unreachable") throw error;
  if (error.code === "object-missing") return { key, problem: "missing" };
  const problem = error.code === "object-overlong" ? "size" : "unreadable";
  return { key, problem, code: error.code, reason: error.message };
}
