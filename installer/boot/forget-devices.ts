import type { Step } from "../step.ts";
import type { BootContext } from "./family.ts";
import { inTarget } from "./in-target.ts";

/**
 * What the image says of the disks of the machine that it was made on: GRUB's device.map, and LVM's list, without which
 * all devices may be used (lvmdevices(8)).
 */
export function forgetDevicesStep(context: BootContext): Step {
  return inTarget(context, {
    name: "forget-devices",
    title: "forget the disks that the image was made on",
    commands: [["rm", "--force", "/boot/grub2/device.map", "/etc/lvm/devices/system.devices"]],
  });
}
