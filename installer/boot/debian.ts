import { dataSourceSetting } from "../../common/data-source-setting.ts";
import type { Command, Step, TargetFile } from "../step.ts";
import { arrayFiles } from "../storage/array.ts";
import type { Layout } from "../storage/layout.ts";
import { partitionOf } from "../storage/partition.ts";
import { storagePackages } from "../storage/target-needs.ts";
import { debianGrubSteps } from "./debian-grub.ts";
import { debianLoader } from "./debian-loader.ts";
import { espSyncFiles } from "./esp-sync/files.ts";
import type { BootContext, Family } from "./family.ts";
import { grubDefaults } from "./grub-defaults.ts";
import { inTarget } from "./in-target.ts";
import { renewLoaderFiles } from "./renew-loader.ts";

/** Debian and what descends from it: initramfs-tools, /etc/default/grub.d, grub-install, debconf. */
export const debian: Family = {
  uefiLoader: () => "\\EFI\\debian\\shimx64.efi",
  requiredPackages,
  files,
  steps: (context) => [...(context.rebuildInitramfs ? [initramfsStep(context)] : []), ...debianGrubSteps(context)],
};

function requiredPackages(layout: Layout): string[] {
  return ["cloud-init", ...storagePackages(layout)];
}

function files({ layout, kernelArguments, firmware }: BootContext): TargetFile[] {
  return [
    ...arrayFiles("/etc/mdadm/mdadm.conf", layout.arrays),
    { path: "/etc/default/grub.d/90-metalcast.cfg", mode: 0o644, content: grubDefaults(kernelArguments) },
    { path: `/${dataSourceSetting.path}`, mode: 0o644, content: dataSourceSetting.content },
    { path: "/etc/cloud/cloud.cfg.d/90-metalcast-grub.cfg", mode: 0o644, content: noGrubDpkg },
    ...(firmware.includes("uefi") ? loaderFiles(layout) : []),
  ];
}

/** cloud-init would have debconf forget all disks but the first that /boot lies on, at the first boot. */
const noGrubDpkg = "grub_dpkg: { enabled: false }\n";

function loaderFiles({ disks, espArray }: Layout): TargetFile[] {
  if (espArray) return [...renewLoaderFiles, ...debianLoader.files];
  const uuids = disks.map((disk) => partitionOf(disk, "esp").uuid);
  return [...espSyncFiles(uuids, ["debian", "BOOT"]), ...debianLoader.files, ...debianLoader.kernelHooks];
}

function initramfsStep(context: BootContext): Step {
  const commands: Command[] = [["update-initramfs", "-u", "-k", "all"]];
  return inTarget(context, { name: "initramfs", title: "build the initramfs", commands });
}
