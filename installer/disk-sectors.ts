import { Failure } from "../common/failure.ts";
import type { Disk } from "./hardware.ts";
import { labelPath } from "./label-disk.ts";

/**
 * Disks of one array have logical sectors of one size. The kernel gives an array the largest of its members' sectors
 * (Linux, blk_stack_limits), so a disk of larger ones that joins later makes what lies on the array unreadable.
 * @throws Failure `disk-sectors-mixed` (configuration)
 */
export function assertSameSectors(
  disks: readonly Pick<Disk, "path" | "logicalSectorBytes">[],
  arrayName: string,
): void {
  const sizes = new Set(disks.map(({ logicalSectorBytes }) => logicalSectorBytes));
  if (sizes.size <= 1) return;
  const list = disks.map(({ path, logicalSectorBytes }) => `${labelPath(path)} has ${logicalSectorBytes}`).join(", ");
  throw new Failure({
    code: "disk-sectors-mixed",
    kind: "configuration",
    message: `laying out the array ${arrayName}: its disks have logical sectors of different sizes (bytes): ${list}`,
    hint: "choose disks of one kind in disks.match, or format them to one sector size (nvme format, sg_format)",
    data: { sectorBytes: Object.fromEntries(disks.map(({ path, logicalSectorBytes }) => [path, logicalSectorBytes])) },
  });
}
