import type { ArrayLayout } from "./array.ts";
import type { EncryptedVolume } from "./encryption.ts";
import type { Partition } from "./partition.ts";
import type { VolumeGroup } from "./volume-group.ts";

/** A block device of the layout, and what it stands on. */
export type Device = Readonly<
  {
    /** Where it appears while the server is being installed: a stable path. */
    path: string;
    /** At least so much can be stored on it. */
    sizeBytes: number;
    logicalSectorBytes: number;
    /** Full stripe of the array below, 0 where there is none: volumes begin at multiples of it. */
    stripeBytes: number;
    /** Stable paths of the disks that it lies on. */
    disks: readonly string[];
    below: readonly Device[];
  } & (
    | { kind: "partition"; partition: Partition }
    | { kind: "array"; array: ArrayLayout }
    | { kind: "encrypted"; volume: EncryptedVolume }
    | { kind: "volume"; group: VolumeGroup }
  )
>;

/** The device and all that it stands on, the top first. */
export function chainOf(device: Device): Device[] {
  return [device, ...device.below.flatMap(chainOf)];
}
