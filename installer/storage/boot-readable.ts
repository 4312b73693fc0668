import type { Firmware } from "../boot/family.ts";
import type { Device } from "./device.ts";
import { storageInvalid } from "./storage-invalid.ts";

/**
 * The boot loader must read kernel and initramfs by itself. GRUB has drivers for md, for linear and striped LVM volumes
 * and for these file systems, so what it cannot do is:
 * - open LUKS2 as cryptsetup makes it: GRUB knows PBKDF2 alone, and cryptsetup's default is Argon2 (cryptsetup(8),
 *   --pbkdf; GRUB's manual, `cryptomount`);
 * - see every disk under BIOS, where the firmware need not show more than the one it boots from. What is spread over
 *   several disks is then unreadable; a mirror is not.
 * @param chain what /boot is on, or / where there is no /boot of its own, the top first
 * @throws Failure `storage-invalid` (configuration)
 */
export function checkBootReadable(chain: readonly Device[], firmware: readonly Firmware[]): void {
  const hint = "add a file system for /boot, on a partition or a RAID1";
  for (const layer of chain) {
    if (layer.kind === "encrypted") {
      throw storageInvalid(`/boot is inside of ${layer.volume.name}: the boot loader can't open LUKS2`, hint);
    }
    if (layer.kind === "array" && layer.array.level !== 1 && firmware.includes("bios")) {
      const { name, level } = layer.array;
      throw storageInvalid(
        `/boot is on ${name}, a RAID${level}: under BIOS the boot loader may see one disk only`,
        `${hint}, or write firmware: uefi`,
      );
    }
  }
}
