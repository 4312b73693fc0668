import type { TargetFile } from "../step.ts";
import type { ArrayLayout } from "./array.ts";
import { storageInvalid } from "./storage-invalid.ts";

/** @throws Failure `storage-invalid` (configuration) where nothing is left to the first boot */
export function checkSyncSpeed(bytesPerSecond: number | undefined, arrays: readonly ArrayLayout[]): void {
  if (bytesPerSecond === undefined || arrays.some(({ sync }) => sync === "first-boot")) return;
  throw storageInvalid("syncSpeed is for arrays that synchronize at the first boot, and there is none");
}

/**
 * A udev rule of the target. Documentation/admin-guide/md.rst: `resync_start` is "none" once an array has been consistent,
 * also while it rebuilds a new member later, which then goes at full speed; `sync_speed_max` is in KiB per second, of
 * each member.
 */
export function syncSpeedFile(bytesPerSecond: number): TargetFile {
  const match = `ACTION=="add|change", SUBSYSTEM=="block", KERNEL=="md*", ATTR{md/resync_start}=="?*"`;
  const limit = `ATTR{md/resync_start}!="none", ATTR{md/sync_speed_max}="${Math.ceil(bytesPerSecond / 1024)}"`;
  const content = `# The first synchronization of arrays leaves the disks room for others. Written by Metalcast's installer.\n${match}, ${limit}\n`;
  return { path: "/etc/udev/rules.d/65-metalcast-sync-speed.rules", mode: 0o644, content };
}
