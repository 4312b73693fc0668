import { dataSourceSetting } from "../../common/data-source-setting.ts";
import type { Step, TargetFile } from "../step.ts";
import { arrayFiles } from "../storage/array.ts";
import type { Layout } from "../storage/layout.ts";
import { partitionOf } from "../storage/partition.ts";
import { storageInvalid } from "../storage/storage-invalid.ts";
import { storagePackages } from "../storage/target-needs.ts";
import { dracutFile, dracutStep } from "./dracut.ts";
import { espSyncFiles } from "./esp-sync/files.ts";
import type { BootContext, Family } from "./family.ts";
import { holderOfBoot } from "./holder-of-boot.ts";
import { redhatGrubSteps } from "./redhat-grub.ts";
import { fallbackLoaderFile, menuStubFiles } from "./redhat-loader.ts";
import { efiVendor, hasBootEntries } from "./redhat-release.ts";
import { renewLoaderFiles } from "./renew-loader.ts";

/**
 * Red Hat Enterprise Linux 7 to 10, its clones, CentOS Stream, Fedora: dracut, boot entries (but for 7), GRUB for BIOS by
 * `grub2-install` and for UEFI as its packages signed it, SELinux.
 */
export const redhat: Family = {
  uefiLoader: ({ osRelease, firmware }) =>
    `\\EFI\\${efiVendor(osRelease)}\\${firmware.secureBoot ? "shimx64.efi" : "grubx64.efi"}`,
  oneFirmware: ({ osRelease }) => !hasBootEntries(osRelease),
  requiredPackages: (layout) => ["cloud-init", ...storagePackages(layout)],
  files,
  steps,
};

function files({ layout, firmware, image }: BootContext): TargetFile[] {
  return [
    ...arrayFiles("/etc/mdadm.conf", layout.arrays),
    dracutFile(layout),
    { path: `/${dataSourceSetting.path}`, mode: 0o644, content: dataSourceSetting.content },
    ...(firmware.includes("uefi") ? [...menuStubFiles(layout, image.osRelease), ...loaderFiles(layout, image)] : []),
  ];
}

/** What packages put on the ESP reaches all ESPs: whatever changes there is noticed. */
function loaderFiles({ disks, espArray }: Layout, { osRelease }: BootContext["image"]): TargetFile[] {
  const vendor = efiVendor(osRelease);
  if (espArray) return [...renewLoaderFiles, fallbackLoaderFile(vendor)];
  const uuids = disks.map((disk) => partitionOf(disk, "esp").uuid);
  return [...espSyncFiles(uuids, [vendor, "BOOT"]), fallbackLoaderFile(vendor)];
}

function steps(context: BootContext): Step[] {
  checkBootFolder(context.layout);
  if (context.firmware.includes("uefi")) checkSignedLoader(context);
  return [
    ...(context.rebuildInitramfs ? [dracutStep(context, (kernel) => `/boot/initramfs-${kernel}.img`)] : []),
    ...redhatGrubSteps(context),
  ];
}

/**
 * What the signed GRUB cannot read, whatever modules are on the disk: no version has RAID's `raid5rec` and `raid6rec`,
 * without which a degraded array is unreadable, and only Fedora's has btrfs (grub2's grub.macros, grub_modules).
 */
function checkSignedLoader({ layout, image }: BootContext): void {
  const array = layout.bootChain.flatMap((device) => (device.kind === "array" ? device.array : []))[0];
  if (array && ![0, 1, 10].includes(array.level)) {
    throw unreadable(
      `/boot is on ${array.name}, a RAID${array.level}, which the signed GRUB cannot read without a disk`,
    );
  }
  const holder = holderOfBoot(layout);
  if (holder.type === "btrfs" && image.osRelease.ID !== "fedora") {
    throw unreadable(`/boot is on a btrfs, which this distribution's signed GRUB cannot read`);
  }
}

function unreadable(problem: string) {
  return storageInvalid(problem, "add a file system for /boot, on a partition or a RAID1");
}

/**
 * GRUB's `blscfg` looks for entries in /loader/entries and /boot/loader/entries of the file system, which is not where
 * they are in a subvolume of btrfs.
 */
function checkBootFolder(layout: Layout): void {
  const { subvolume } = holderOfBoot(layout);
  if (subvolume === undefined) return;
  throw unreadable(`/boot is in the subvolume ${subvolume}, where GRUB finds no boot entries`);
}
