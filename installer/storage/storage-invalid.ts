import { Failure } from "../../common/failure.ts";

/**
 * A layout that cannot be, or that would not boot.
 * @returns Failure `storage-invalid` (configuration)
 */
export function storageInvalid(reason: string, hint = "see docs/storage.md for what a layout can be"): Failure {
  return new Failure({
    code: "storage-invalid",
    kind: "configuration",
    message: `laying out the storage: ${reason}`,
    hint,
  });
}
