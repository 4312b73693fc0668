import { Failure } from "../../../common/failure.ts";
import type { ByteSource } from "../source.ts";

/** Why a VMDK is refused. The codes of failures are these, after `vmdk-`. */
export type VmdkProblem =
  /** Header fields contradict each other or the specification. */
  | "header-invalid"
  | "version-unsupported"
  /** A flag, or a combination of them, that this reader does not know. */
  | "feature-unknown"
  | "descriptor-invalid"
  /** It holds only what differs from another disk. */
  | "parent"
  /** Its data lies in other files. */
  | "external-extents"
  | "encrypted"
  | "virtual-size-too-large"
  /** A table or a grain lies beyond the end of the file, wholly or in part. */
  | "outside-file"
  /** Two tables or grains lie on the same sectors. */
  | "overlap"
  /** A grain that is damaged, is another's, or does not make one grain. */
  | "grain-corrupt";

const hints: Partial<Record<VmdkProblem, string>> = {
  parent: "convert it together with the disks it is based on: qemu-img convert -O raw, or an export of the appliance",
  "external-extents": "make one file of it: qemu-img convert -f vmdk -O vmdk -o subformat=streamOptimized",
  encrypted: "export the disk without encryption",
};

export function invalid(source: ByteSource, problem: VmdkProblem, found: string, cause?: unknown): Failure {
  return new Failure({
    code: `vmdk-${problem}`,
    kind: "integrity",
    message: `reading the VMDK ${source.name}: ${found}`,
    hint: hints[problem] ?? "the file is damaged, or was made to mislead: get it again from its vendor",
    ...(cause === undefined ? {} : { cause }),
  });
}
