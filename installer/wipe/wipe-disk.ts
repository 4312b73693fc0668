import { Failure } from "../../common/failure.ts";
import { formatSize } from "../../common/units.ts";
import { labelPath } from "../label-disk.ts";
import type { Command } from "../step.ts";
import type { WipeAction } from "./action.ts";
import { clearDevice } from "./clear-device.ts";
import type { StackedDevice } from "./parse-stack.ts";
import { type NamedDisk, stablePath } from "./relations.ts";
import type { SecureErase } from "./secure-erase.ts";
import type { Wipe } from "./settings.ts";

/** What makes one free disk blank, in three parts that are each checked before the next begins. */
export interface DiskWipe {
  /** Content of the partitions, while they can still be reached by name. */
  partitions: readonly WipeAction[];
  /** The table, and what a disk without one held. */
  disk: readonly WipeAction[];
  /** What the job's `depth` asks for besides. */
  depth: readonly WipeAction[];
}

const act = (...command: Command): WipeAction => ({ kind: "run", command });

/**
 * @throws Failure `wipe-depth-unsupported` (configuration) where the disk can't do what `depth` asks for; `disk-changed`
 *   (refused) where it is not in the stack
 */
export function wipeDisk(stack: readonly StackedDevice[], disk: NamedDisk, { depth }: Pick<Wipe, "depth">): DiskWipe {
  const device = stack.find(({ name, kind }) => name === disk.name && kind === "disk");
  if (!device) {
    throw new Failure({
      code: "disk-changed",
      kind: "refused",
      message: `refusing to wipe ${labelPath(disk.path)}: it is gone`,
      hint: "make a new plan with `metalcast plan`",
    });
  }
  const partitions = stack.filter(({ kind, on }) => kind === "partition" && on.includes(disk.name));
  return {
    partitions: partitions.flatMap((partition) => clearDevice(partition, stablePath(partition, [disk]))),
    disk: [
      ...clearDevice(device, disk.path),
      act("udevadm", "settle"),
      ...(partitions.length > 0 ? [act("blockdev", "--rereadpt", disk.path), act("udevadm", "settle")] : []),
    ],
    depth: deepen(device, disk, depth),
  };
}

function deepen({ sizeBytes, erasure }: StackedDevice, { path }: NamedDisk, depth: Wipe["depth"]): WipeAction[] {
  const label = `${labelPath(path)} (${formatSize(sizeBytes)})`;
  switch (depth) {
    case "signatures":
      return [];
    case "discard":
      if (!erasure?.discards) throw unsupported(label, depth, "it takes no discards");
      return [act("blkdiscard", path)];
    case "zero":
      return [{ kind: "zero-disk", path, sizeBytes }];
    case "secure":
      return eraseSecurely(erasure?.secure ?? { obstacle: "nothing is known of it" }, path, label);
  }
}

/** Not a secret: ATA wants one set before it erases, and erasing clears it. */
const ataPassword = "metalcast";

function eraseSecurely(secure: SecureErase, path: string, label: string): WipeAction[] {
  if ("obstacle" in secure) throw unsupported(label, "secure", secure.obstacle);
  switch (secure.way) {
    case "nvme-format":
      // A namespace's own path: a controller's may stand for all of its namespaces, nvme-format(1).
      return [act("nvme", "format", path, "--ses=1", "--force")];
    case "ata-erase":
    case "ata-enhanced-erase": {
      const erase = secure.way === "ata-erase" ? "--security-erase" : "--security-erase-enhanced";
      return [
        act("hdparm", "--user-master", "u", "--security-set-pass", ataPassword, path),
        act("hdparm", "--user-master", "u", erase, ataPassword, path),
      ];
    }
    case "secure-discard":
      return [act("blkdiscard", "--secure", path)];
  }
}

function unsupported(disk: string, depth: Wipe["depth"], obstacle: string): Failure {
  return new Failure({
    code: "wipe-depth-unsupported",
    kind: "configuration",
    message: `planning to wipe ${disk} with depth ${depth}: ${obstacle}`,
    hint: "choose wipe.depth zero, which every disk can, or another disk",
  });
}
