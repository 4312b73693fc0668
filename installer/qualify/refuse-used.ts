import { stat } from "node:fs/promises";
import { Failure } from "../../common/failure.ts";
import { tryToClaim } from "../describe-disk.ts";

/**
 * That a device may be overwritten: a disk or partition that nothing in the kernel holds, nor a part of it. What is on
 * it counts for nothing: the profile has named it.
 * @throws Failure `device-held`, `device-missing`, `no-device` (refused)
 */
export async function refuseUsed(device: string): Promise<void> {
  const found = await stat(device).catch(() => undefined);
  if (!found) throw refuse("device-missing", device, "it is not there");
  // A file can be opened as well, and would be lost.
  if (!found.isBlockDevice()) throw refuse("no-device", device, "it is no disk and no partition");
  const claim = await tryToClaim(device);
  if (claim === "held") throw refuse("device-held", device, "something holds it");
  if (claim !== "free") throw refuse("device-held", device, claim.fault);
}

function refuse(code: string, device: string, reason: string): Failure {
  return new Failure({
    code,
    kind: "refused",
    message: `refusing to overwrite ${device}: ${reason}`,
    hint: "release it first, or take it out of the profile's `overwriteDevices`; `metalcast disks` shows what holds it",
    data: { device },
  });
}
