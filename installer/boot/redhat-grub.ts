import type { Command, Step } from "../step.ts";
import { copyEspSteps } from "./copy-esp.ts";
import { rootArguments, storageArguments } from "./dracut.ts";
import type { BootContext } from "./family.ts";
import { fillEspStep } from "./fill-esp.ts";
import { forgetDevicesStep } from "./forget-devices.ts";
import { menuSettings } from "./grub-defaults.ts";
import { holderOfBoot } from "./holder-of-boot.ts";
import { inTarget } from "./in-target.ts";
import { labelFilesStep, labelTargetStep } from "./label-files.ts";
import { efiVendor, hasBootEntries } from "./redhat-release.ts";
import { renewLoaderPath } from "./renew-loader.ts";

/** GRUB's menu and the boot entries, SELinux's labels, and, once all else is there, GRUB itself on every disk. */
export function redhatGrubSteps(context: BootContext): Step[] {
  const { firmware, image } = context;
  return [
    forgetDevicesStep(context),
    defaultsStep(context),
    configurationStep(context),
    ...(hasBootEntries(image.osRelease) ? [entriesStep(context)] : []),
    labelTargetStep(context),
    fillEspStep(context),
    ...(firmware.includes("bios") ? [biosStep(context)] : []),
    ...(firmware.includes("uefi") ? [loaderStep(context), ...copyEspSteps(context)] : []),
    labelFilesStep(context, "label-loaders", ["/boot/grub2", "/var/lib"]),
  ];
}

function defaultsStep({ layout, kernelArguments, image, target }: BootContext): Step {
  return {
    kind: "grub-defaults",
    name: "grub-defaults",
    title: "set the kernel's arguments",
    target,
    settings: {
      ...menuSettings(kernelArguments),
      ...(hasBootEntries(image.osRelease) && { GRUB_ENABLE_BLSCFG: "true" }),
    },
    added: [...storageArguments(layout), ...kernelArguments],
  };
}

/** RHEL 7 keeps the menu for UEFI on the ESP, and grubby(8) edits it there; later ones have a stub there. */
function configurationStep(context: BootContext): Step {
  const { osRelease } = context.image;
  const onEsp = !hasBootEntries(osRelease) && context.firmware.includes("uefi");
  const places = ["/boot/grub2/grub.cfg", ...(onEsp ? [`/boot/efi/EFI/${efiVendor(osRelease)}/grub.cfg`] : [])];
  return inTarget(context, {
    name: "grub-configuration",
    title: "write GRUB's configuration",
    commands: places.map((path): Command => ["grub2-mkconfig", "--output", path]),
  });
}

function entriesStep({ layout, kernelArguments, image, target }: BootContext): Step {
  return {
    kind: "bls-entries",
    name: "bls-entries",
    title: `make the boot entries of ${image.kernels.length} kernel(s) this server's`,
    target,
    kernels: image.kernels,
    root: [...rootArguments(layout), ...storageArguments(layout)],
    added: kernelArguments,
    bootPath: holderOfBoot(layout).mountPoint === "/boot" ? "" : "/boot",
  };
}

function biosStep(context: BootContext): Step {
  const { disks } = context.layout;
  return inTarget(context, {
    name: "grub-bios",
    title: `install GRUB for BIOS on ${disks.length} disk(s)`,
    commands: disks.map(({ disk }): Command => ["grub2-install", "--target=i386-pc", disk.path]),
  });
}

/** By the program that does it later on the installed server. */
function loaderStep(context: BootContext): Step {
  const title = "put the boot loader on the fallback path";
  return inTarget(context, { name: "fallback-loader", title, commands: [["sh", renewLoaderPath]] });
}
