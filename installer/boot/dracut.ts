import type { Step, TargetFile } from "../step.ts";
import type { Device } from "../storage/device.ts";
import type { Layout } from "../storage/layout.ts";
import type { BootContext } from "./family.ts";
import { inTarget } from "./in-target.ts";

/** Where the root file system is, as `grub-mkconfig` says it by itself. */
export function rootArguments({ filesystems }: Layout): string[] {
  const root = filesystems.find(({ mountPoint }) => mountPoint === "/");
  if (!root) throw new Error("the layout has no root file system");
  return [
    `root=UUID=${root.id}`,
    ...(root.subvolume === undefined ? [] : [`rootflags=subvol=${root.subvolume}`]),
    "ro",
  ];
}

/**
 * What dracut's initramfs has to bring up for it: dracut.cmdline(7). What is named is brought up and nothing else,
 * whatever lies on other disks. A LUKS volume is opened by the name that crypttab has for it: the booted system would try
 * to open it once more otherwise.
 */
export function storageArguments({ rootChain }: Layout): string[] {
  const words = [...new Set(rootChain.flatMap((device) => argumentOf(device) ?? []))];
  return rootChain.some(({ kind }) => kind === "array") ? [...words, ...startDegraded] : words;
}

/**
 * dracut starts an array that lacks a member when it has waited for two thirds of this, in seconds: 120 s by default,
 * which is longer than the 90 s that systemd waits for what lies on it (dracut's 90mdraid/mdraid_start.sh and
 * dracut-initqueue.sh).
 */
const startDegraded = ["rd.retry=45"];

function argumentOf(device: Device): string | undefined {
  switch (device.kind) {
    case "array":
      return `rd.md.uuid=${device.array.uuid}`;
    case "encrypted":
      return `rd.luks.name=${device.volume.uuid}=${device.volume.name}`;
    case "volume":
      return `rd.lvm.lv=${device.path.replace("/dev/", "")}`;
    case "partition":
      return undefined;
  }
}

/**
 * For this initramfs and those of later kernels: dracut.conf(5). Not for this server's hardware alone, so that its disks
 * boot in another one, too; and with what the layout stands on, which dracut does not see in a fence.
 */
export function dracutFile({ arrays, volumeGroups, encrypted }: Layout): TargetFile {
  const modules = [
    ...(arrays.length > 0 ? ["mdraid"] : []),
    ...(volumeGroups.length > 0 ? ["lvm"] : []),
    ...(encrypted.length > 0 ? ["crypt"] : []),
  ];
  const lines = [
    `hostonly="no"`,
    `hostonly_cmdline="no"`,
    ...(modules.length > 0 ? [`add_dracutmodules+=" ${modules.join(" ")} "`] : []),
    ...(arrays.length > 0 ? [`mdadmconf="yes"`] : []),
  ];
  return { path: "/etc/dracut.conf.d/90-metalcast.conf", mode: 0o644, content: `${lines.join("\n")}\n` };
}

/** @param path of a kernel's initramfs */
export function dracutStep(context: BootContext, path: (kernel: string) => string): Step {
  const { kernels } = context.image;
  return inTarget(context, {
    name: "initramfs",
    title: "build the initramfs",
    commands: kernels.map((kernel) => ["dracut", "--force", "--no-hostonly", path(kernel), kernel]),
  });
}
