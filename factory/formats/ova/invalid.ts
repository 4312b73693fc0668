import { Failure } from "../../../common/failure.ts";

/** Why an OVA is refused. The codes of failures are these, after `ova-`. */
export type OvaProblem =
  /** The tar around it. */
  | "archive-invalid"
  /** The OVF descriptor is missing, malformed or contradicts the archive. */
  | "descriptor-invalid"
  | "manifest-invalid"
  | "digest-mismatch"
  /** It holds no disk, or several. */
  | "disk-count"
  /** Its disk is compressed as a whole, cut into chunks, based on another, not a VMDK, or not in the archive. */
  | "disk-unsupported";

const hints: Partial<Record<OvaProblem, string>> = {
  "disk-count": "take the disk with the system out of the appliance (tar -xf), and give that, as vmdk",
  "disk-unsupported": "export the appliance again, with one VMDK inside: ovftool, or VirtualBox's `OVF 1.0`",
};

export function invalid(name: string, problem: OvaProblem, found: string, cause?: unknown): Failure {
  return new Failure({
    code: `ova-${problem}`,
    kind: "integrity",
    message: `reading the OVA ${name}: ${found}`,
    hint: hints[problem] ?? "the file is damaged, or was made to mislead: get it again from its vendor",
    ...(cause === undefined ? {} : { cause }),
  });
}
