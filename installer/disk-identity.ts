import type { Disk } from "./hardware.ts";

/** By what a disk is known again between the plan and the first write. */
export type DiskIdentity = Pick<Disk, "path" | "serial" | "wwn" | "sizeBytes" | "logicalSectorBytes">;

export function identifyDisk({ path, serial, wwn, sizeBytes, logicalSectorBytes }: DiskIdentity): DiskIdentity {
  return { path, serial, wwn, sizeBytes, logicalSectorBytes };
}

/** @returns what is not as it was: `serial is "B", not "A"` */
export function findDifferences(expected: DiskIdentity, found: DiskIdentity): string[] {
  const fields = ["serial", "wwn", "sizeBytes", "logicalSectorBytes"] as const;
  return fields
    .filter((field) => expected[field] !== found[field])
    .map((field) => `${field} is ${JSON.stringify(found[field])}, not ${JSON.stringify(expected[field])}`);
}
