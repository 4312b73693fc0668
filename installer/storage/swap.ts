import { deriveUuid } from "../identity.ts";
import type { Step } from "../step.ts";
import type { Device } from "./device.ts";
import type { FilesystemWish } from "./filesystem.ts";
import { storageInvalid } from "./storage-invalid.ts";

/** Swap space of the target; the installation never uses it. */
export interface Swap {
  name: string;
  device: string;
  uuid: string;
  options: string;
}

/** @throws Failure `storage-invalid` (configuration) */
export function layOutSwap(
  { on, mount, options, subvolumes }: FilesystemWish,
  { path }: Device,
  instanceUuid: string,
): Swap {
  if (mount !== undefined || subvolumes !== undefined) throw storageInvalid(`the swap on ${on} can't be mounted`);
  return { name: on, device: path, uuid: deriveUuid(instanceUuid, `swap ${on}`), options: options ?? "sw" };
}

export function swapStep({ name, device, uuid }: Swap): Step {
  return {
    kind: "commands",
    name: `format-${name.replace("/", "-")}`,
    title: `make swap ${name}`,
    commands: [
      ["mkswap", "--force", "--uuid", uuid, "--label", name.split("/").at(-1)?.slice(0, 16) ?? "swap", device],
      ["udevadm", "settle"],
    ],
  };
}

/** A line of fstab(5). */
export function describeSwap({ uuid, options }: Swap): string {
  return `UUID=${uuid} none swap ${options} 0 0`;
}
