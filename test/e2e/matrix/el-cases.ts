import type { ElVersion } from "../../lab/el-image.ts";
import type { Firmware } from "../../lab/hardware.ts";

/** One server of Red Hat's family: what is installed on two disks, and how it has to come up. */
export interface ElCase {
  version: ElVersion;
  title: string;
  /** Of the catalog. */
  image: string;
  storage: unknown;
  /** It is installed under the first, and boots under each. */
  firmware: readonly [Firmware, ...Firmware[]];
  /** Whether dracut runs on the server. */
  initramfs: "auto" | "rebuild";
  /** In the kernel's command line, in order. */
  storageArguments: RegExp;
  /** Its arrays. */
  arrays: number;
  /** `findmnt` of /, source and type. */
  root: RegExp;
  /** Its root wants the passphrase. */
  locked?: true;
}

export const elCases: readonly ElCase[] = [
  {
    ...{ version: "9.6", title: "boot entries, xfs for / and /boot on RAID1", image: "almalinux-9" },
    storage: {
      partitions: [
        { name: "boot_raid", size: "1 GiB" },
        { name: "root_raid", size: "rest" },
      ],
      raid: [
        { name: "boot", level: 1, on: "boot_raid" },
        { name: "root", level: 1, on: "root_raid" },
      ],
      filesystems: [
        { on: "boot", type: "xfs", mount: "/boot" },
        { on: "root", type: "xfs", mount: "/" },
      ],
    },
    ...{ firmware: ["uefi", "bios"], initramfs: "auto" },
    ...{ storageArguments: / rd\.md\.uuid=\S+ rd\.retry=45 /, arrays: 2, root: /^\/dev\/md\w+ xfs$/m },
  },
  {
    ...{ version: "8.10", title: "kernelopts, LVM on RAID1, its initramfs built on the server", image: "almalinux-8" },
    // Under UEFI Debian's GRUB 2.14 says "out of memory" after the kernel's line, and loads no initramfs from LVM.
    ...{ storage: { preset: "raid1", lvm: true }, firmware: ["bios"], initramfs: "rebuild" },
    storageArguments: / rd\.lvm\.lv=system\/root rd\.md\.uuid=\S+ rd\.retry=45 /,
    ...{ arrays: 1, root: /^\/dev\/mapper\/system-root ext4$/m },
  },
  {
    ...{ version: "8.10", title: "kernelopts, RAID1", image: "almalinux-8", storage: "raid1" },
    ...{ firmware: ["uefi"], initramfs: "auto", storageArguments: / rd\.md\.uuid=\S+ rd\.retry=45 /, arrays: 1 },
    root: /^\/dev\/md\w+ ext4$/m,
  },
  {
    ...{ version: "7.9", title: "no boot entries, LUKS on RAID1, UEFI", image: "rhel-7" },
    ...{ storage: { preset: "raid1", encrypt: { passphraseFile: "passphrase" } }, firmware: ["uefi"] },
    ...{ initramfs: "rebuild", storageArguments: / rd\.luks\.name=\S+=secret rd\.md\.uuid=\S+ rd\.retry=45 / },
    ...{ arrays: 2, root: /^\/dev\/mapper\/secret ext4$/m, locked: true },
  },
  {
    ...{ version: "7.9", title: "no boot entries, RAID1, BIOS", image: "rhel-7" },
    ...{ storage: "raid1", firmware: ["bios"], initramfs: "auto" },
    ...{ storageArguments: / rd\.md\.uuid=\S+ rd\.retry=45 /, arrays: 1, root: /^\/dev\/md\w+ ext4$/m },
  },
];
