import { dataSourceSetting } from "../../common/data-source-setting.ts";
import type { Command, Step, TargetFile } from "../step.ts";
import { describeArray } from "../storage/array.ts";
import type { Layout } from "../storage/layout.ts";
import { partitionOf } from "../storage/partition.ts";
import type { BootContext, Family } from "./family.ts";

/** Debian and what descends from it: initramfs-tools, /etc/default/grub.d, grub-install, debconf. */
export const debian: Family = {
  name: "debian",
  uefiLoader: "\\EFI\\debian\\shimx64.efi",
  requiredPackages,
  files,
  steps: (context) => [
    ...(context.rebuildInitramfs ? [initramfsStep(context)] : []),
    grubConfigurationStep(context),
    ...(context.firmware.includes("bios") ? [biosStep(context)] : []),
    ...(context.firmware.includes("uefi") ? [uefiStep(context), ...syncEspSteps(context)] : []),
  ],
};

function requiredPackages({ arrays }: Layout): string[] {
  return ["cloud-init", ...(arrays.length > 0 ? ["mdadm"] : [])];
}

function files({ layout, kernelArguments }: BootContext): TargetFile[] {
  const mdadm = ["HOMEHOST <system>", "MAILADDR root", ...layout.arrays.map(describeArray)];
  return [
    ...(layout.arrays.length > 0
      ? [{ path: "/etc/mdadm/mdadm.conf", mode: 0o644, content: `${mdadm.join("\n")}\n` }]
      : []),
    { path: "/etc/default/grub.d/90-metalcast.cfg", mode: 0o644, content: grubDefaults(kernelArguments) },
    { path: `/${dataSourceSetting.path}`, mode: 0o644, content: dataSourceSetting.content },
  ];
}

/**
 * Added to what the vendor set, since files of grub.d are read in order and the last `console=` is the one that counts.
 * The boot menu speaks where the kernel does: a serial console gets GRUB's menu too.
 */
function grubDefaults(kernelArguments: readonly string[]): string {
  const console = kernelArguments.findLast((word) => word.startsWith("console=ttyS")) ?? "";
  const serial = /^console=ttyS(\d)(?:,(\d+))?/.exec(console);
  const terminal = serial
    ? [
        `GRUB_TERMINAL="console serial"`,
        `GRUB_SERIAL_COMMAND="serial --unit=${serial[1]} --speed=${serial[2] ?? "9600"}"`,
      ]
    : [];
  const added =
    kernelArguments.length > 0 ? [`GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX ${kernelArguments.join(" ")}"`] : [];
  return `${[...added, "GRUB_DISABLE_OS_PROBER=true", ...terminal].join("\n")}\n`;
}

/** What programs of the target may see of the rescue system's devices: the disks that are theirs. */
function ownDevices({ disks, arrays }: Layout): string[] {
  const partitions = disks.flatMap(({ disk, partitions }) => [disk.path, ...partitions.map(({ path }) => path)]);
  return [...partitions, ...arrays.map(({ path }) => path)];
}

interface TargetWork {
  name: string;
  title: string;
  commands: readonly Command[];
  input?: string;
}

function inTarget({ layout, target }: BootContext, work: TargetWork): Step {
  return { kind: "run-in-target", target, devices: ownDevices(layout), ...work };
}

function initramfsStep(context: BootContext): Step {
  const commands: Command[] = [["update-initramfs", "-u", "-k", "all"]];
  return inTarget(context, { name: "initramfs", title: "build the initramfs", commands });
}

/**
 * debconf remembers the disks by their stable names: an upgrade of GRUB then renews every one of them, not only the
 * first.
 */
function grubConfigurationStep(context: BootContext): Step {
  const disks = context.layout.disks.map(({ disk }) => disk.path).join(", ");
  const selections = [
    ...(context.firmware.includes("bios") ? [`grub-pc grub-pc/install_devices multiselect ${disks}`] : []),
    "grub-efi-amd64 grub2/force_efi_extra_removable boolean true",
  ];
  return inTarget(context, {
    name: "grub-configuration",
    title: "write GRUB's configuration",
    input: `${selections.join("\n")}\n`,
    commands: [["debconf-set-selections"], ["update-grub"]],
  });
}

function biosStep(context: BootContext): Step {
  const { disks } = context.layout;
  return inTarget(context, {
    name: "grub-bios",
    title: `install GRUB for BIOS on ${disks.length} disk(s)`,
    commands: disks.map(({ disk }): Command => ["grub-install", "--target=i386-pc", disk.path]),
  });
}

/**
 * The fallback path EFI/BOOT/BOOTX64.EFI boots a disk whose NVRAM entry is lost, or that moved to another server.
 */
function uefiStep(context: BootContext): Step {
  const paths = ["--efi-directory=/boot/efi", "--bootloader-id=debian", "--force-extra-removable"];
  return inTarget(context, {
    name: "grub-uefi",
    title: "install GRUB for UEFI",
    commands: [["grub-install", "--target=x86_64-efi", ...paths, "--no-nvram"]],
  });
}

function syncEspSteps({ layout, target }: BootContext): Step[] {
  const mountPoint = `${target}-esp`;
  return layout.disks.slice(1).map((disk, index) => ({
    kind: "commands",
    name: `sync-esp-${index + 2}`,
    title: `copy the ESP to ${disk.disk.name}`,
    commands: [
      ["mkdir", "--parents", mountPoint],
      ["mount", "-t", "vfat", partitionOf(disk, "esp").path, mountPoint],
      ["cp", "--recursive", "--preserve=timestamps", "--no-target-directory", `${target}/boot/efi`, mountPoint],
      ["umount", mountPoint],
    ],
  }));
}
