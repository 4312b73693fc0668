import { dataSourceSetting } from "../../common/data-source-setting.ts";
import type { Command, Step, TargetFile } from "../step.ts";
import { arrayFiles } from "../storage/array.ts";
import type { Layout } from "../storage/layout.ts";
import { partitionOf } from "../storage/partition.ts";
import { storagePackages } from "../storage/target-needs.ts";
import { copyEspSteps } from "./copy-esp.ts";
import { dracutFile, dracutStep, storageArguments } from "./dracut.ts";
import { espSyncFiles } from "./esp-sync/files.ts";
import type { BootContext, Family } from "./family.ts";
import { fillEspStep } from "./fill-esp.ts";
import { forgetDevicesStep } from "./forget-devices.ts";
import { menuSettings } from "./grub-defaults.ts";
import { holderOfBoot } from "./holder-of-boot.ts";
import { inTarget } from "./in-target.ts";
import { labelFilesStep, labelTargetStep } from "./label-files.ts";
import { renewLoaderFiles, renewLoaderPath } from "./renew-loader.ts";
import { suseLoaderFile } from "./suse-loader.ts";

/**
 * openSUSE and SUSE Linux Enterprise with GRUB's own menu: dracut, `grub2-mkconfig`, `grub2-install`, `shim-install`.
 * /etc/sysconfig/bootloader says which one loader upgrades renew (perl-bootloader's `pbl`): that of this server's
 * firmware. `shim-install` names its folder after the distributor, so that firmware is sent to the fallback path.
 */
export const suse: Family = {
  uefiLoader: () => "\\EFI\\BOOT\\BOOTX64.EFI",
  oneFirmware: () => true,
  requiredPackages: (layout) => ["cloud-init", ...storagePackages(layout)],
  files,
  steps,
};

function files({ layout, firmware }: BootContext): TargetFile[] {
  const bootDisks = layout.disks.map(({ disk }) => `${disk.path}\n`).join("");
  return [
    ...arrayFiles("/etc/mdadm.conf", layout.arrays),
    dracutFile(layout),
    { path: `/${dataSourceSetting.path}`, mode: 0o644, content: dataSourceSetting.content },
    // grub2/install of perl-bootloader: a device each line. Without it, one disk is renewed at upgrades.
    ...(firmware.includes("bios")
      ? [{ path: "/etc/default/grub_installdevice", mode: 0o644, content: bootDisks }]
      : []),
    ...(firmware.includes("uefi") ? loaderFiles(layout) : []),
  ];
}

function loaderFiles({ disks, espArray }: Layout): TargetFile[] {
  if (espArray) return [...renewLoaderFiles, suseLoaderFile];
  const uuids = disks.map((disk) => partitionOf(disk, "esp").uuid);
  return [...espSyncFiles(uuids, ["BOOT"]), suseLoaderFile];
}

function steps(context: BootContext): Step[] {
  const { firmware, rebuildInitramfs } = context;
  return [
    ...(rebuildInitramfs ? [dracutStep(context, (kernel) => `/boot/initrd-${kernel}`)] : []),
    ...(holderOfBoot(context.layout).mountPoint === "/boot" ? [copyKernelsStep(context)] : []),
    forgetDevicesStep(context),
    defaultsStep(context),
    loaderTypeStep(context),
    inTarget(context, {
      name: "grub-configuration",
      title: "write GRUB's configuration",
      commands: [["grub2-mkconfig", "--output", "/boot/grub2/grub.cfg"]],
    }),
    labelTargetStep(context),
    fillEspStep(context),
    ...(firmware.includes("bios") ? [biosStep(context)] : []),
    ...(firmware.includes("uefi") ? [uefiStep(context), ...copyEspSteps(context)] : []),
    labelFilesStep(context, "label-loaders", ["/boot/grub2", "/var/lib"]),
  ];
}

/**
 * Where /boot is a folder, its kernels are links into /usr/lib/modules, which lead to nothing on a file system of its own;
 * the kernels' packages copy them there (suse-module-tools, kernel-scriptlets).
 */
function copyKernelsStep(context: BootContext): Step {
  const script = `for kernel; do
  if [ -L "$kernel" ]; then cp --remove-destination "$(readlink --canonicalize-existing "$kernel")" "$kernel"; fi
done`;
  const kernels = context.image.kernels.map((kernel) => `/boot/vmlinuz-${kernel}`);
  return inTarget(context, {
    name: "copy-kernels",
    title: "have the kernels themselves in /boot",
    commands: [["sh", "-euc", script, "sh", ...kernels]],
  });
}

/** The root file system is no snapshot of snapper's here, and paths on it are whole ones. */
function defaultsStep({ layout, kernelArguments, target }: BootContext): Step {
  return {
    kind: "grub-defaults",
    name: "grub-defaults",
    title: "set the kernel's arguments",
    target,
    settings: { ...menuSettings(kernelArguments), SUSE_BTRFS_SNAPSHOT_BOOTING: "false" },
    added: [...storageArguments(layout), ...kernelArguments],
  };
}

function loaderTypeStep({ firmware, image, target }: BootContext): Step {
  return {
    kind: "loader-type",
    name: "loader-type",
    title: "note which boot loader upgrades renew",
    target,
    settings: {
      LOADER_TYPE: firmware.includes("uefi") ? "grub2-efi" : "grub2",
      SECURE_BOOT: image.firmware.secureBoot ? "yes" : "no",
      UPDATE_NVRAM: "no",
    },
  };
}

/** As `pbl --install` does it: grub2/install of perl-bootloader. */
function biosStep(context: BootContext): Step {
  const { disks } = context.layout;
  return inTarget(context, {
    name: "grub-bios",
    title: `install GRUB for BIOS on ${disks.length} disk(s)`,
    commands: disks.map(
      ({ disk }): Command => ["grub2-install", "--target=i386-pc", "--force", "--skip-fs-probe", disk.path],
    ),
  });
}

function uefiStep(context: BootContext): Step {
  const config = "--config-file=/boot/grub2/grub.cfg";
  const signed: Command[] = [
    ["shim-install", "--no-nvram", config],
    ["shim-install", "--removable", config],
  ];
  const plain: Command[] = [
    ["grub2-install", "--target=x86_64-efi", "--efi-directory=/boot/efi", "--no-nvram", "--removable"],
  ];
  const install = context.image.firmware.secureBoot ? signed : plain;
  return inTarget(context, {
    name: "grub-uefi",
    title: "install GRUB for UEFI",
    commands: [...install, ["sh", renewLoaderPath]],
  });
}
