import type { Firmware, LabDisk } from "../../lab/hardware.ts";

/** One server of the matrix: what is installed, over what, and which boots it has to stand. */
export interface BootCase {
  name: string;
  /** As the README tells it. */
  title: string;
  disks: number;
  /** A disk more, which the job does not take. */
  spareDisk?: true;
  sectorBytes?: 4096;
  /** Default: SCSI. */
  bus?: LabDisk["bus"];
  /** Of each disk. Default: 5 GiB. */
  diskBytes?: number;
  /** Default: `signatures`. */
  wipeDepth?: string;
  storage: unknown;
  /** What the disks hold before: a kind of make-dirty.sh. */
  over: string;
  /** `findmnt` of /: source and type. */
  root: RegExp;
  /** It is installed under the first. */
  firmware: readonly [Firmware, ...Firmware[]];
  /** Its root wants the passphrase. */
  locked?: true;
  /** Whether each disk in turn can be missing. */
  redundant: boolean;
  /** Kernel and boot loaders are installed once more on the booted server, and every disk is pulled again. */
  reinstall?: true;
}

const both = ["uefi", "bios"] as const;

/** What the encrypted one is unlocked with, at the console. */
export const passphrase = "correct horse battery staple";

export const bootCases: readonly BootCase[] = [
  {
    ...{ name: "single", title: "`single`", disks: 1, storage: "single", over: "blank" },
    ...{ root: /^\/dev\/sd\w+ ext4$/, firmware: both, redundant: false },
  },
  {
    ...{ name: "raid1", title: "`raid1`", disks: 2, spareDisk: true, storage: "raid1", over: "md-active-and-degraded" },
    ...{ root: /^\/dev\/md\w+ ext4$/, firmware: both, redundant: true, reinstall: true },
  },
  {
    ...{ name: "raid10", title: "`raid10`, /boot on RAID1", disks: 4, storage: "raid10", over: "zfs-labels" },
    ...{ root: /^\/dev\/md\w+ ext4$/, firmware: both, redundant: true },
  },
  {
    ...{ name: "raid5", title: "`raid5`, /boot on RAID1", disks: 3, storage: "raid5", over: "btrfs-over-two-disks" },
    ...{ root: /^\/dev\/md\w+ ext4$/, firmware: both, redundant: true },
  },
  {
    ...{ name: "lvm-raid1", title: "LVM on RAID1", disks: 2, storage: { preset: "raid1", lvm: true, swap: "256 MiB" } },
    ...{ over: "lvm-of-our-name", root: /^\/dev\/mapper\/system-root ext4$/ },
    ...{ firmware: both, redundant: true },
  },
  {
    ...{ name: "luks-raid1", title: "LUKS on RAID1, unlocked at the console", disks: 2, over: "luks-and-swap-in-use" },
    ...{
      storage: { preset: "raid1", encrypt: { passphraseFile: "passphrase" } },
      root: /^\/dev\/mapper\/secret ext4$/,
    },
    ...{ locked: true, firmware: both, redundant: true, reinstall: true },
  },
  {
    ...{ name: "btrfs", title: "btrfs with subvolumes on RAID1", disks: 2, over: "gpt-and-mbr" },
    storage: {
      partitions: [{ name: "root_raid", size: "rest" }],
      raid: [{ name: "root", level: 1, on: "root_raid" }],
      filesystems: [
        {
          on: "root",
          type: "btrfs",
          subvolumes: [
            { name: "@", mount: "/" },
            { name: "@home", mount: "/home", options: "noatime" },
          ],
        },
      ],
    },
    ...{ root: /^\/dev\/md\w+\[\/@\] btrfs$/, firmware: both, redundant: true },
  },
  {
    ...{ name: "raid1-4kn", title: "`raid1`, sectors of 4096 bytes", disks: 2, sectorBytes: 4096, storage: "raid1" },
    ...{ over: "blank", root: /^\/dev\/md\w+ ext4$/, firmware: ["uefi"], redundant: true },
  },
  {
    ...{ name: "raid1-nvme", title: "`raid1` on NVMe, erased by Format NVM", disks: 2, bus: "nvme", storage: "raid1" },
    ...{ wipeDepth: "secure", over: "nvme-md-active", root: /^\/dev\/md\w+ ext4$/, firmware: both, redundant: true },
  },
  {
    ...{
      name: "large",
      title: "a virtio disk of 3 TiB, / beyond 2 TiB",
      disks: 1,
      bus: "virtio",
      diskBytes: 3 * 2 ** 40,
    },
    storage: {
      partitions: [
        { name: "archive", size: "2.2 TiB" },
        { name: "root", size: "rest" },
      ],
      filesystems: [
        { on: "archive", type: "xfs", mount: "/srv" },
        { on: "root", type: "ext4", mount: "/" },
      ],
    },
    ...{ over: "blank", root: /^\/dev\/vda\d ext4$/, firmware: both, redundant: false },
  },
];
