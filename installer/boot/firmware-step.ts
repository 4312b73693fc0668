import type { ImageFacts } from "../../mirror/index.ts";
import type { Step } from "../step.ts";
import { partitionOf } from "../storage/partition.ts";
import type { BootOrder } from "./boot-order.ts";
import type { BootContext, Family } from "./family.ts";

const orders: Record<BootOrder, string> = {
  "keep-network-first": "first, but behind the network where that was first",
  "disk-first": "before all others",
  leave: "behind all others",
};

/** One UEFI boot entry for the ESP of every system disk, named after the system. */
export function firmwareEntriesStep(
  { layout }: Pick<BootContext, "layout">,
  { uefiLoader }: Pick<Family, "uefiLoader">,
  image: ImageFacts,
  bootOrder: BootOrder,
): Step {
  const { disks } = layout;
  const system = image.osRelease.NAME ?? image.name;
  return {
    kind: "firmware-entries",
    name: "firmware-entries",
    title: `make ${disks.length} UEFI boot entries, ${orders[bootOrder]}`,
    bootOrder,
    entries: disks.map((disk, index) => {
      const { number, uuid } = partitionOf(disk, "esp");
      return {
        label: `${system} (disk ${index + 1})`,
        disk: disk.disk.path,
        partition: number,
        partitionUuid: uuid,
        loader: uefiLoader(image),
      };
    }),
  };
}
