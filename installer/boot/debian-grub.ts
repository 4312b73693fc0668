import type { Command, Step } from "../step.ts";
import { copyEspSteps } from "./copy-esp.ts";
import { debianLoader } from "./debian-loader.ts";
import type { BootContext } from "./family.ts";
import { fillEspStep } from "./fill-esp.ts";
import { inTarget } from "./in-target.ts";
import { renewLoaderPath } from "./renew-loader.ts";

interface GrubDisks extends Pick<BootContext, "firmware"> {
  layout: Pick<BootContext["layout"], "disks" | "esps" | "espArray">;
}

/** GRUB's menu, debconf's record of the disks, and, once all else is there, GRUB itself on every one of them. */
export function debianGrubSteps(context: BootContext): Step[] {
  return [
    configurationStep(context),
    fillEspStep(context),
    ...(context.firmware.includes("bios") ? [biosStep(context)] : []),
    ...(context.firmware.includes("uefi") ? [uefiStep(context), noteStep(context), ...copyEspSteps(context)] : []),
  ];
}

function configurationStep(context: BootContext): Step {
  return inTarget(context, {
    name: "grub-configuration",
    title: "write GRUB's configuration",
    input: grubSelections(context),
    commands: [["debconf-set-selections"], ["update-grub"]],
  });
}

/**
 * What GRUB's and shim's packages do at upgrades. For BIOS, every disk gets GRUB anew, not only the first. For UEFI, the
 * fallback path is renewed too, and NVRAM stays as it is: `grub-install` would make an entry of its own and put it first
 * (grub2/update_nvram), while ours name files that keep their places. `grub-efi/install_devices` is Ubuntu's; Debian's
 * packages know one ESP, /boot/efi. udev's link to an array is the one that depends on no name.
 */
export function grubSelections({ layout, firmware }: GrubDisks): string {
  const { disks, esps, espArray } = layout;
  const bootDisks = disks.map(({ disk }) => disk.path).join(", ");
  const espDevices = espArray ? [`/dev/disk/by-id/md-uuid-${espArray.uuid}`] : esps.map(({ device }) => device);
  const bios = [
    `grub-pc grub-pc/install_devices multiselect ${bootDisks}`,
    "grub-pc grub-pc/install_devices_empty boolean false",
  ];
  const uefi = [
    `grub-efi-amd64 grub-efi/install_devices multiselect ${espDevices.join(", ")}`,
    "grub-efi-amd64 grub-efi/install_devices_empty boolean false",
    "grub-efi-amd64 grub2/force_efi_extra_removable boolean true",
    "grub-efi-amd64 grub2/update_nvram boolean false",
  ];
  return [...(firmware.includes("bios") ? bios : []), ...(firmware.includes("uefi") ? uefi : [])]
    .map((line) => `${line}\n`)
    .join("");
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
 * The fallback path EFI/BOOT/BOOTX64.EFI boots a disk whose NVRAM entry is lost, or that moved to another server. Shim
 * there starts GRUB only where its own fallback program is absent, which would make entries, put them first, and reset a
 * server that has a TPM (shim's README.fallback). An image may bring it.
 */
function uefiStep(context: BootContext): Step {
  return inTarget(context, {
    name: "grub-uefi",
    title: "install GRUB for UEFI",
    commands: [debianLoader.install, ["rm", "--force", "/boot/efi/EFI/BOOT/fbx64.efi"]],
  });
}

/** So that the installed server renews it when its packages have changed, and not before. */
function noteStep(context: BootContext): Step {
  const title = "note which GRUB the ESP has";
  return inTarget(context, { name: "note-loader", title, commands: [["sh", renewLoaderPath]] });
}
