import { Qcow2Error } from "./error.ts";
import { reasonOf } from "./source.ts";

export function writeFailed(destination: string, cause: unknown): Qcow2Error {
  return new Qcow2Error("write-failed", `writing ${destination}: ${reasonOf(cause)}`, { cause });
}
